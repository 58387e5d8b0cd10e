"""`flask recording verify` and what belongs to it: is stored footage all there, unchanged, signed by whom?

Prints sentences, or JSON with `--json`; what is bad is found by services/proof/verification.py.
"""

from __future__ import annotations

import json
import sys

import click
from flask.cli import AppGroup

from cctv.errors import CctvError

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
_MOST_LINES = 50


def add_commands(group: AppGroup) -> None:
    """Add the commands to `flask recording`."""
    for command in (verify, key, accept):
        group.add_command(command)


@click.command("verify")
@click.argument("recording_id", type=int, required=False)
@click.option("--camera", "camera_ids", type=int, multiple=True, help="Only this camera; may be repeated.")
@_as_json
def verify(recording_id: int | None, camera_ids: tuple[int, ...], as_json: bool) -> None:
    """Read stored footage again, follow the chains, and name the first bad file.

    With RECORDING_ID the files of one recording, else every file that lies on this machine. Exit status 1
    when anything is not as it was stored.
    """
    from cctv.services.proof import verification

    try:
        if recording_id is not None:
            found = verification.verify(recording_id)
        else:
            found = verification.verify_all(camera_ids or None)
    except CctvError as error:
        click.echo(error.message, err=True)
        sys.exit(1)
    if as_json:
        click.echo(json.dumps(found.as_dict(), indent=2, default=str))
        sys.exit(0 if found.is_good else 1)
    click.echo(found.sentence)
    for finding in found.findings[1 : _MOST_LINES + 1]:
        click.echo(f"  also: {finding.sentence}")
    if found.files:
        rate = found.bytes_per_second / 1e6
        click.echo(f"{found.links} links followed; {found.size_bytes / 1e6:.0f} MB read at {rate:.0f} MB/s.")
    sys.exit(0 if found.is_good else 1)


@click.command("key")
@_as_json
def key(as_json: bool) -> None:
    """The key with which this machine signs evidence, and the fingerprint of the page that checks it."""
    from cctv.services.proof import evidence_key, evidence_page

    try:
        public = evidence_key.public_key()
    except CctvError as error:
        click.echo(error.message, err=True)
        sys.exit(1)
    name = evidence_key.key_id(public)
    row = {"key": name, "public_key": public, "page_sha256": evidence_page.fingerprint()}
    if as_json:
        click.echo(json.dumps(row, indent=2))
        return
    click.echo(f"Key         {evidence_key.spell(name)}")
    click.echo(f"Public half {public} (Ed25519)")
    click.echo(f"check.html  {row['page_sha256']} (SHA-256)")


@click.command("accept-chains")
@click.confirmation_option(prompt="Is the database a restored backup, and do you believe what is in it?")
def accept() -> None:
    """Believe the chains of stored footage as they are, after a restored backup. The audit log says so."""
    from cctv.services.proof import chain_check

    click.echo(f"The newest links of {chain_check.accept()} cameras count from now on.")
