"""`flask mail ...`: a test with its steps, and the newest mails with what became of them.

Prints sentences, or JSON with `--json`; never what a mail says.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from flask.cli import AppGroup

from cctv.errors import CctvError
from cctv.models import MailMessage

mail_group = AppGroup("mail", help="Mail: test, list.")

_MARKS = {"ok": "ok  ", "off": "-   ", "warn": "note", "bad": "FAIL"}


@mail_group.command("test")
@click.argument("address")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
def test(address: str, as_json: bool) -> None:
    """Send a test mail from this process, step by step."""
    from cctv.services.mailing import mail_trials

    try:
        trial = mail_trials.run_now(address)
    except CctvError as error:
        click.echo(error.message, err=True)
        sys.exit(1)
    row = {
        "address": trial.message.address,
        "is_sent": trial.is_good,
        "sentence": trial.sentence,
        "answer": trial.message.answer,
        "steps": trial.steps,
    }
    if as_json:
        click.echo(json.dumps(row, indent=2))
    else:
        for step in trial.steps:
            click.echo(f"{_MARKS[step['state']]}  {step['text']}")
        click.echo(trial.sentence)
        if trial.message.answer:
            click.echo(f"      {trial.message.answer}")
    sys.exit(0 if trial.is_good else 1)


@mail_group.command("list")
@click.option("--state", type=click.Choice(["all", "waiting", "sent", "failed", "cancelled"]), default="all")
@click.option("--limit", type=click.IntRange(1, 200), default=50)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
def list_mails(state: str, limit: int, as_json: bool) -> None:
    """The newest mails: to whom, about what, and what became of them."""
    from cctv.services.mailing import mailings

    rows = [_row(message) for message in mailings.find_messages(state=state, page_size=limit).items]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        cause = f"  {row['cause']}" if row["cause"] else ""
        what = f"{row['state']:<9} {row['address']}  {row['subject']}{cause}"
        click.echo(f"{row['id']:>6}  {row['created_at']}  {what}")


def _row(message: MailMessage) -> dict[str, Any]:
    return {
        "id": message.id,
        "created_at": message.created_at.isoformat(timespec="seconds"),
        "state": str(message.state),
        "address": message.address,
        "template": message.template,
        "subject": message.subject,
        "tries": message.tries,
        "next_at": message.next_at.isoformat(timespec="seconds") if message.next_at else None,
        "sent_at": message.sent_at.isoformat(timespec="seconds") if message.sent_at else None,
        "cause": message.cause,
        "answer": message.answer,
    }
