"""The built-in camera, which is also the tests' camera. Never imported by the product's services."""
