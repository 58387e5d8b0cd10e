"""`flask user ...`: accounts from the machine's own command line, on the same services as the pages.

Prints sentences, or JSON with `--json`. A link is printed because it was asked for; it is kept nowhere.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from flask.cli import AppGroup

from cctv.errors import CctvError, Invalid, NotFound
from cctv.models import Role, User

_ROLES = click.Choice([role.value for role in Role])
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
_who = click.argument("who", metavar="E-MAIL|USER-NAME|ID")


def add_commands(group: AppGroup) -> None:
    """Add the commands to `flask user`."""
    for command in (list_users, create, invite, disable, enable, set_role, reset_password_link):
        group.add_command(command)


def _refusing(command: Callable[..., None]) -> Callable[..., None]:
    """A refusal is a sentence on stderr and exit status 1."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> None:
        try:
            command(*args, **options)
        except Invalid as error:
            for field, sentence in error.errors.items():
                click.echo(f"{field}: {sentence}", err=True)
            sys.exit(1)
        except CctvError as error:
            click.echo(error.message, err=True)
            sys.exit(1)

    return run


@click.command("list")
@click.option("--search", default="", help="Part of the name, address or user name.")
@click.option("--role", type=_ROLES)
@click.option("--state", type=click.Choice(["active", "invited", "off"]))
@_as_json
@_refusing
def list_users(search: str, role: str | None, state: str | None, as_json: bool) -> None:
    """Everybody with role and state."""
    from cctv.services.person import people

    found: list[User] = []
    number: int | None = 1
    while number:
        page = people.find_people(
            people.COMMAND_LINE, search=search, role=role, state=state, page=number, page_size=200
        )
        found, number = [*found, *page.items], page.next
    rows = [_row(person) for person in found]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        click.echo(f"{row['id']:>4}  {row['role']:<12} {row['state']:<8} {row['email']}  {row['name']}")


@click.command("create")
@click.option("--name", prompt=True)
@click.option("--email", prompt=True)
@click.option("--username", default="")
@click.option("--role", type=_ROLES, default=Role.VISITOR.value)
@click.option("--password", prompt=True, hide_input=True, confirmation_prompt=True)
@_as_json
@_refusing
def create(as_json: bool, **typed: str) -> None:
    """Make an account with a password."""
    from cctv.services.person import people

    person = people.create_person(people.COMMAND_LINE, **typed)
    _say(person, f"{person.email} can sign in as {person.role} now.", as_json=as_json)


@click.command("invite")
@click.option("--name", prompt=True)
@click.option("--email", prompt=True)
@click.option("--username", default="")
@click.option("--role", type=_ROLES, default=Role.VISITOR.value)
@click.option("--mail", "by_mail", is_flag=True, help="Send the link; otherwise it is printed.")
@_as_json
@_refusing
def invite(by_mail: bool, as_json: bool, **typed: str) -> None:
    """Make an account whose person chooses the password; again for one who is invited already: a new link."""
    from cctv.services.person import invitations, people, users

    known = users.find_by_login(typed["email"])
    if known is None:
        made = invitations.invite_person(people.COMMAND_LINE, by_mail=by_mail, **typed)
    else:
        made = invitations.renew_invitation(people.COMMAND_LINE, known, by_mail=by_mail)
    link = None if by_mail else _link(f"{invitations.PATH}{made.token}")
    sentence = (
        f"The invitation goes to {made.person.email}." if by_mail else f"{link}\nValid for 3 days, once."
    )
    _say(made.person, sentence, as_json=as_json, link=link, expires_at=made.expires_at.isoformat())


@click.command("disable")
@_who
@_as_json
@_refusing
def disable(who: str, as_json: bool) -> None:
    """Switch an account off and sign it out everywhere."""
    from cctv.services.person import people

    person = _find(who)
    people.disable_person(people.COMMAND_LINE, person)
    _say(person, f"{person.email} is switched off.", as_json=as_json)


@click.command("enable")
@_who
@_as_json
@_refusing
def enable(who: str, as_json: bool) -> None:
    """Switch an account on again."""
    from cctv.services.person import people

    person = _find(who)
    people.enable_person(people.COMMAND_LINE, person)
    _say(person, f"{person.email} is switched on.", as_json=as_json)


@click.command("set-role")
@_who
@click.argument("role", type=_ROLES)
@_as_json
@_refusing
def set_role(who: str, role: str, as_json: bool) -> None:
    """Give another role; says what is lost, and signs the person out everywhere."""
    from cctv.services.person import people, role_changes

    person = _find(who)
    loses = role_changes.losses(person)[role]
    people.change_person(people.COMMAND_LINE, person, {"role": role})
    _say(person, " ".join(filter(None, [f"{person.email} is {role} now.", loses])), as_json=as_json)


@click.command("reset-password-link")
@_who
@_as_json
@_refusing
def reset_password_link(who: str, as_json: bool) -> None:
    """Print a link with which the person chooses a new password: for 10 minutes, once."""
    from cctv.services.sign_in import recovery

    person = _find(who)
    link = _link(recovery.make_link(person.email))
    _say(person, f"{link}\nValid for 10 minutes, once.", as_json=as_json, link=link)


def _find(who: str) -> User:
    from cctv.services.person import people, users

    if who.isdecimal() and len(who) < 10:
        return people.get_person(people.COMMAND_LINE, int(who))
    person = users.find_by_login(who)
    if person is None:
        raise NotFound(f"Nobody here is called {who}.")
    return person


def _link(path: str) -> str:
    """The whole address, or what comes behind this system's own when nobody has said where it is."""
    from cctv.services.mailing import mail

    return mail.link(path) or path


def _row(person: User) -> dict[str, Any]:
    from cctv.services.person import people

    fields = ("id", "name", "email", "username", "role")
    return {field: getattr(person, field) for field in fields} | {"state": people.state_of(person)}


def _say(person: User, sentence: str, *, as_json: bool, **more: Any) -> None:
    click.echo(json.dumps(_row(person) | more, indent=2) if as_json else sentence)
