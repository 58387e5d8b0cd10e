"""The command line: `flask ...` on the same services as the pages.

Prints sentences, or JSON with `--json`; no rule lives here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import click
from flask import Flask
from flask.cli import AppGroup

from cctv import cli_evidence, cli_people
from cctv.cli_mail import mail_group
from cctv.clock import from_ms
from cctv.errors import CctvError, Invalid
from cctv.models import Camera, Recording, RecordingMode, Role

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")

user_group = AppGroup("user", help="Accounts: list, create, invite, switch off, roles.")
camera_group = AppGroup("camera", help="Cameras: add, list, probe.")
recording_group = AppGroup("recording", help="Recordings: list, verify.")
setup_group = AppGroup("setup", help="The first run.")
audit_group = AppGroup("audit", help="The audit log: list, verify.")


def register(app: Flask) -> None:
    """Add the commands to `flask`."""
    for group in (user_group, camera_group, recording_group, setup_group, audit_group, mail_group):
        app.cli.add_command(group)
    cli_people.add_commands(user_group)
    cli_evidence.add_commands(recording_group)
    app.cli.add_command(reconcile)
    app.cli.add_command(doctor)


def _say(rows: Any, *, as_json: bool, line: Callable[[Any], str]) -> None:
    if as_json:
        click.echo(json.dumps(rows, indent=2, default=str))
        return
    for row in rows if isinstance(rows, list) else [rows]:
        click.echo(line(row))


def _refuse(error: CctvError) -> None:
    if isinstance(error, Invalid):
        for field, sentence in error.errors.items():
            click.echo(f"{field}: {sentence}", err=True)
    else:
        click.echo(error.message, err=True)
    sys.exit(1)


@user_group.command("create-super")
@click.option("--name", prompt=True)
@click.option("--email", prompt=True)
@click.option("--password", prompt=True, hide_input=True, confirmation_prompt=True)
@as_json
def create_super(name: str, email: str, password: str, as_json: bool) -> None:
    """Make a Super Admin, also when nobody can sign in any more."""
    from cctv.services.person import people

    who = people.COMMAND_LINE
    try:
        user = people.create_person(who, name=name, email=email, password=password, role=Role.SUPER_ADMIN)
    except CctvError as error:
        _refuse(error)
    row = {"id": user.id, "email": user.email, "role": user.role}
    _say(row, as_json=as_json, line=lambda r: f"{r['email']} is a Super Admin now.")


@user_group.command("recover")
@click.argument("name")
@click.option("--second-factor-off", is_flag=True, help="The phone is lost as well, and the recovery codes.")
@as_json
def recover_user(name: str, second_factor_off: bool, as_json: bool) -> None:
    """Print a link with which NAME (address or user name) chooses a new password: once, within 10 minutes."""
    from cctv.services.mailing import mail
    from cctv.services.person import users
    from cctv.services.sign_in import recovery, second_factor

    try:
        path = recovery.make_link(name)
    except CctvError as error:
        _refuse(error)
    user = users.find_by_login(name)
    if second_factor_off and user is not None:
        second_factor.turn_off_on_server(user)
    link = mail.link(path) or f"(the address of these pages){path}"
    _say({"link": link}, as_json=as_json, line=lambda row: str(row["link"]))


@camera_group.command("add")
@click.argument("address")
@click.option("--name", required=True)
@click.option("--user", "username", default="", help="User name at the camera.")
@click.option("--password", default="", help="Password at the camera; '-' asks for it.")
@click.option("--sub", "sub_address", default="", help="Address of the small stream.")
@click.option("--mode", type=click.Choice([mode.value for mode in RecordingMode]), default="continuous")
@click.option("--schedule", type=int, help="Id of the schedule that it follows, with --mode schedule.")
@as_json
def add_camera(**typed: Any) -> None:
    """Add a camera; its capture starts at once."""
    from cctv.services.camera import cameras

    if typed["password"] == "-":
        typed["password"] = click.prompt("Password", hide_input=True)
    form = cameras.CameraForm(
        name=typed["name"],
        url=typed["address"],
        username=typed["username"],
        password=typed["password"],
        sub_url=typed["sub_address"],
        recording_mode=typed["mode"],
        schedule_id=typed["schedule"],
    )
    try:
        camera = cameras.create_camera(form, None)
    except CctvError as error:
        _refuse(error)
    _say(
        _camera_row(camera),
        as_json=typed["as_json"],
        line=lambda r: f"Added {r['name']} as camera {r['id']}.",
    )


@camera_group.command("list")
@as_json
def list_cameras(as_json: bool) -> None:
    """Every camera with its state."""
    from cctv.services.camera import cameras, status

    known = cameras.list_cameras()
    states = status.of_cameras(known)
    rows = [
        _camera_row(camera) | {"state": states[camera.id].state, "cause": states[camera.id].cause}
        for camera in known
    ]

    def line(row: dict[str, Any]) -> str:
        reason = f" ({row['cause']})" if row["cause"] else ""
        return f"{row['id']:>4}  {row['name']:<24} {row['state']}{reason}  {row['url']}"

    _say(rows, as_json=as_json, line=line)


@camera_group.command("probe")
@click.argument("address")
@click.option("--user", "username", default="")
@click.option("--password", default="", help="'-' asks for it.")
@as_json
def probe_camera(address: str, username: str, password: str, as_json: bool) -> None:
    """Check a camera address step by step, without adding it."""
    from cctv.services.camera import probes

    if password == "-":
        password = click.prompt("Password", hide_input=True)
    try:
        report = probes.check_now(address, username=username, password=password)
    except CctvError as error:
        _refuse(error)
    marks = {"ok": "ok  ", "warn": "note", "bad": "FAIL", "skipped": "-   "}
    _say(
        report if as_json else report["steps"],
        as_json=as_json,
        line=lambda step: f"{marks[step['state']]}  {step['text']}",
    )
    sys.exit(1 if report["cause"] else 0)


@recording_group.command("list")
@click.option("--camera", "camera_id", type=int, default=None)
@click.option("--limit", type=int, default=50)
@as_json
def list_recordings(camera_id: int | None, limit: int, as_json: bool) -> None:
    """The newest recordings: intervals that a person or a rule asked to keep."""
    from cctv.services.recording import recordings

    def line(row: dict[str, Any]) -> str:
        until = row["to"] or "going on"
        return f"{row['id']:>5}  camera {row['camera_id']:<4} {row['kind']:<10} {row['from']} - {until}"

    rows = [
        _recording_row(recording)
        for recording in recordings.list_recordings(camera_id=camera_id, limit=limit)
    ]
    _say(rows, as_json=as_json, line=line)


@setup_group.command("code")
@as_json
def setup_code(as_json: bool) -> None:
    """The code that opens the set-up; nothing once the owner exists."""
    from cctv.services.site import setup

    _say({"code": setup.code()}, as_json=as_json, line=lambda row: row["code"] or "")


@audit_group.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50)
@as_json
def list_audit(limit: int, as_json: bool) -> None:
    """The newest entries of the audit log."""
    from cctv.services.auditing import audit_rows

    def line(row: dict[str, Any]) -> str:
        who = row["user_name"] or "nobody known"
        return (
            f"{row['id']:>7}  {row['at'][:19]}  {row['action']:<18} {who}  {row['target']}  {row['address']}"
        )

    entries = audit_rows.find_entries(None, audit_rows.Filters(), limit=limit)
    _say([audit_rows.as_dict(entry) for entry in entries], as_json=as_json, line=line)


@audit_group.command("verify")
@as_json
def verify_audit(as_json: bool) -> None:
    """Follow the chain of the audit log and name the first entry that is not as it was written."""
    from cctv.services.auditing import audit_check

    found = audit_check.verify()
    speed = f"{found.checked} entries in {found.seconds:g} s, {found.per_second} a second"
    _say(found.as_dict(), as_json=as_json, line=lambda _row: f"{found.sentence} ({speed})")
    sys.exit(0 if found.is_whole else 1)


@audit_group.command("accept")
@click.confirmation_option(prompt="Is the database a restored backup, and do you believe what is in it?")
def accept_audit() -> None:
    """Believe the audit log as it is, after a restored backup. The log says that somebody did."""
    from cctv.services.auditing import audit_check

    click.echo(f"Entry {audit_check.accept().id} counts as the newest from now on.")


@click.command("reconcile")
@as_json
def reconcile(as_json: bool) -> None:
    """Make rows and files of this machine agree; rebuilds a lost index from disk."""
    from cctv.services.footage import reconcile as reconciling
    from cctv.services.site import nodes

    report = reconciling.run(nodes.this_node())
    _say(report.as_dict(), as_json=as_json, line=lambda _row: report.sentence)


@click.command("doctor")
@as_json
def doctor(as_json: bool) -> None:
    """Check everything the product needs, one line each with the remedy."""
    from cctv.services.site import doctor as checks

    found = checks.examine()
    marks = {"ok": "ok  ", "warn": "WARN", "bad": "FAIL"}

    def line(row: dict[str, Any]) -> str:
        remedy = f"  -> {row['remedy']}" if row["remedy"] else ""
        return f"{marks[row['state']]}  {row['name']:<22} {row['sentence']}{remedy}"

    _say([finding.as_dict() for finding in found], as_json=as_json, line=line)
    sys.exit(1 if any(finding.state == "bad" for finding in found) else 0)


def _camera_row(camera: Camera) -> dict[str, Any]:
    return {
        "id": camera.id,
        "number": camera.number,
        "name": camera.name,
        "url": camera.main.url,
        "mode": camera.recording_mode,
        "is_enabled": camera.is_enabled,
    }


def _recording_row(recording: Recording) -> dict[str, Any]:
    end = recording.ended_ms
    return {
        "id": recording.id,
        "camera_id": recording.camera_id,
        "kind": recording.kind,
        "from": from_ms(recording.started_ms).isoformat(timespec="seconds"),
        "to": from_ms(end).isoformat(timespec="seconds") if end else None,
        "is_locked": recording.locked_by is not None,
    }
