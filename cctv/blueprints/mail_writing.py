"""Writing a mail to people, to everybody of a role, or to addresses.

Shape only; who gets it and what is too much is said by services/mailing/mailings.py.
"""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import SelectMultipleField, StringField, TextAreaField

from cctv.blueprints import _forms, _htmx
from cctv.errors import Invalid, LimitReached
from cctv.models import Role, User
from cctv.services.mailing import mailings
from cctv.services.person import access
from cctv.services.person.access import Action

blueprint = Blueprint("mail_writing", __name__, url_prefix="/mail/new")


class MailForm(FlaskForm):
    """What is written, and to whom. Lengths are the service's to judge, so that nothing typed is cut."""

    roles = SelectMultipleField("Everybody who is", validate_choice=False)
    people = SelectMultipleField("People", coerce=int, validate_choice=False)
    recipients = StringField("To")  # only its message is used: of all three together
    addresses = TextAreaField("Other addresses")
    subject = StringField("Subject")
    body = TextAreaField("Text")


@blueprint.get("")
def show() -> ResponseReturnValue:
    """The form."""
    access.authorise(current_user, None, Action.MAIL_SEND)
    return _htmx.render("mails/new.html", form=MailForm(), **_page())


@blueprint.post("")
def send() -> ResponseReturnValue:
    """Queue it, and show how far it is."""
    access.authorise(current_user, None, Action.MAIL_SEND)
    form = MailForm()
    if not form.validate_on_submit():
        return _forms.problems("mails/new.html", form, **_page())
    typed = [part for part in re.split(r"[\s,;]+", form.addresses.data or "") if part]
    try:
        batch = mailings.send(
            current_user,
            subject=form.subject.data or "",
            body=form.body.data or "",
            user_ids=form.people.data or [],
            roles=form.roles.data or [],
            addresses=typed,
        )
    except Invalid as error:
        _forms.add_errors(form, error.errors)
        return _forms.problems("mails/new.html", form, **_page())
    except LimitReached as error:
        form.form_errors.append(error.message)
        return _forms.problems("mails/new.html", form, **_page())
    return _htmx.redirect(url_for("mail.show_batch", batch_id=batch.id))


def _page() -> dict[str, Any]:
    people: list[User] = mailings.choices()
    return {
        "choices": people,
        "by_role": [(role, sum(one.role == role for one in people)) for role in Role],
        "longest_subject": mailings.LONGEST_SUBJECT,
    }
