"""What the product can do: plain functions, one transaction each. Never flask.request, never argv."""
