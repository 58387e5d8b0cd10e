"""The owner's app for every test of the API."""

from tests.api.apps import phone

__all__ = ["phone"]
