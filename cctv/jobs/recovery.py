"""RQ entry points of forgotten passwords and unproven addresses: asked for every name, known or not."""

from cctv.services.person import addresses_of_people
from cctv.services.sign_in import recovery


def send_reset(typed: str, address: str, device: str) -> None:
    """Send a code for a new password, if the name is somebody's."""
    recovery.send_reset(typed, address, device)


def send_verification(typed: str, address: str, device: str) -> None:
    """Send a code that proves an address, if the name is somebody's."""
    addresses_of_people.send_verification(typed, address, device)
