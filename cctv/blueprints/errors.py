"""Every refusal and failure as an answer: a page, a toast for HTMX, or problem+json for the API (RFC 9457).

Never a stack trace, never a secret; needs no database, because the database may be what failed.
"""

from __future__ import annotations

import logging
import re
import secrets
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, current_app, make_response, request
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DataError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, InternalServerError

from cctv.blueprints import _doors, _htmx
from cctv.errors import CctvError, Invalid, NotFresh
from cctv.extensions import db, login_manager
from cctv.services.sign_in.sessions import SUDO_SECONDS

_API_PREFIXES = ("/v0/api/", "/api/docs/schema/")
_BYTES_PREFIX = "/stream/"
_REFRESH_SECONDS = 5
_TOKEN = re.compile(r"(/(?:stream|invite)/)[^/\s?]+")  # whoever has such an address needs nothing else

# status -> (headline, sentence when the error brings none of its own)
_WORDS = {
    400: ("That request was not understood", "Go back, reload the page and try again."),
    401: ("Please sign in", "Your session has ended."),
    403: ("You may not open this", "Ask the owner who can."),
    404: ("Not found", "This page or camera does not exist (any more)."),
    405: ("That does not work here", "This address cannot be used in that way."),
    409: ("Somebody was faster", "This was changed in the meantime. Reload the page and try again."),
    410: ("Deleted", "This was deleted."),
    412: ("Changed meanwhile", "Somebody changed this in the meantime. Read it again."),
    413: ("Too large", "What you sent is larger than this server accepts."),
    415: ("That format is not accepted", "Send it in the format that the manual names."),
    422: ("Please check what you typed", "Something in it cannot be accepted."),
    428: ("Say which version", "Send the ETag of what you have read as If-Match."),
    429: ("Too many tries", "Wait a minute, then try again."),
    500: ("Something broke on our side", "Recording goes on. Try again in a moment."),
    503: ("Not available just now", "A part of the system is starting or away. Recording goes on."),
}
# RFC 9470: an app knows by it that a new token of refresh/ will not help.
_STEP_UP = f'Bearer error="insufficient_user_authentication", max_age={SUDO_SECONDS}'
_FORM_TOO_OLD = "This form is too old, or you signed in again meanwhile. Reload the page and send it again."


def register_errors(app: Flask) -> None:
    """Answer every error of every face."""
    app.logger.addFilter(_hide_tokens)
    app.register_error_handler(CctvError, _refusal)
    app.register_error_handler(CSRFError, _form_too_old)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(InternalServerError, _broken)
    for odd in (OverflowError, DataError):
        app.register_error_handler(odd, _out_of_range)
    for error in (OperationalError, InterfaceError, PoolTimeout):
        app.register_error_handler(error, _database_away)


def answer(
    status: int,
    sentence: str | None = None,
    *,
    incident: str | None = None,
    fields: dict[str, str] | None = None,
) -> Response:
    """One error in the shape that the asking side understands; `fields` are told to the API only."""
    headline, default = _WORDS.get(status, (HTTPStatus(status).phrase, "That did not work."))
    sentence = sentence or default
    if request.path.startswith(_API_PREFIXES):
        response = _problem(status, headline, sentence, incident, fields)
    elif request.path.startswith(_BYTES_PREFIX) or not request.accept_mimetypes.accept_html:
        response = make_response(f"{sentence}\n", status, {"Content-Type": "text/plain; charset=utf-8"})
    elif _htmx.is_htmx():
        response = _for_htmx(status, sentence, incident)
    else:
        response = _page(status, headline, sentence, incident)
    if incident:
        response.headers["X-Incident"] = incident
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(_REFRESH_SECONDS)
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _hide_tokens(record: logging.LogRecord) -> bool:
    """For the lines about a request that failed, Flask's own among them: they name its address."""
    record.msg, record.args = _TOKEN.sub(r"\1***", record.getMessage()), None
    return True


def _refusal(error: CctvError) -> Response:
    db.session.rollback()
    fields = error.errors if isinstance(error, Invalid) else None
    response = answer(error.status, error.message, fields=fields)
    if isinstance(error, NotFresh):
        response.headers["WWW-Authenticate"] = _STEP_UP
    return response


def _form_too_old(_error: CSRFError) -> ResponseReturnValue:
    """A token is also wrong when the session behind it has ended: then signing in is what helps."""
    if not current_user.is_authenticated and not _doors.is_open():
        return login_manager.unauthorized()
    return answer(400, _FORM_TOO_OLD)


def _http_error(error: HTTPException) -> Response:
    if error.response is not None or error.code is None or error.code < 400:
        return error.get_response()  # type: ignore[return-value]
    response = answer(error.code)
    for name, value in error.get_headers():
        if name in {"Allow", "Retry-After", "Content-Range"}:
            response.headers[name] = value
    return response


def _broken(error: InternalServerError) -> Response:
    incident = secrets.token_hex(4)
    cause = error.original_exception
    # Flask has logged the traceback one line above; this line ties it to the number that the person sees.
    current_app.logger.error(
        "incident %s: %s %s: %s", incident, request.method, request.path, type(cause).__name__
    )
    return answer(500, incident=incident)


def _out_of_range(error: Exception) -> Response:
    """A time or number that neither the calendar nor the database can hold."""
    current_app.logger.warning("out of range: %s %s: %s", request.method, request.path, type(error).__name__)
    db.session.rollback()
    return answer(422, "A number in this request is out of range.")


def _database_away(error: Exception) -> Response:
    current_app.logger.error("database away: %s %s: %s", request.method, request.path, type(error).__name__)
    db.session.rollback()
    return answer(503, "The database does not answer. Recording goes on.")


def _problem(
    status: int, title: str, detail: str, incident: str | None, fields: dict[str, str] | None
) -> Response:
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    if incident:
        body["instance"] = f"urn:incident:{incident}"
    if fields:
        body["errors"] = fields
    response = make_response(body, status)
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    response.content_type = "application/problem+json"
    return response


def _for_htmx(status: int, sentence: str, incident: str | None) -> Response:
    """HTMX does not swap it; the page says the sentence in a toast."""
    text = f"{sentence} Incident {incident}." if incident else sentence
    response = _htmx.vary(make_response("", status))
    return response if status == 401 else _htmx.trigger(response, "toast", {"level": "bad", "text": text})


def _page(status: int, headline: str, sentence: str, incident: str | None) -> Response:
    is_refreshing = status == HTTPStatus.SERVICE_UNAVAILABLE and request.method == "GET"
    # Not render_template: Flask-Login would ask the database, which may be what failed, for the person.
    page = current_app.jinja_env.get_template("errors/error.html")
    body = page.render(
        request=request,
        status=status,
        headline=headline,
        sentence=sentence,
        incident=incident,
        refresh_seconds=_REFRESH_SECONDS if is_refreshing else None,
        theme=request.cookies.get("theme", "dark"),
    )
    return _htmx.vary(make_response(body, status))
