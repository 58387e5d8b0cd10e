"""What is to be kept: recordings by people and rules, holds, and whether anybody wants a second."""
