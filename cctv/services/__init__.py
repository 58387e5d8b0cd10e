"""What the product can do, one plain function a verb, one transaction each. Never flask.request, never argv."""
