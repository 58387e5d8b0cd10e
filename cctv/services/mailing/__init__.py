"""Mail: what is told, to whom, and sending it."""
