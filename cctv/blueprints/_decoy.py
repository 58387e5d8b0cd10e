"""The decoy: a login page of some admin panel, the same for everybody and whatever is typed.

It is made of constants: it tells nothing of us, needs no file, no session and no database.
"""

from __future__ import annotations

import base64
import hashlib

from flask import Response

_STYLE = """
body{margin:0;background:#e9ecef;color:#343a40;font:15px/1.5 "Helvetica Neue",Arial,sans-serif}
main{width:320px;max-width:90%;margin:12vh auto 0}
h1{font-weight:300;font-size:28px;text-align:center;margin:0 0 18px}
form{background:#fff;border:1px solid #ced4da;border-radius:3px;padding:24px}
label{display:block;margin:0 0 14px}
input,button{box-sizing:border-box;width:100%;padding:8px 10px;border-radius:3px;font:inherit}
input{margin-top:4px;border:1px solid #ced4da}
button{border:0;background:#2563a8;color:#fff}
p{margin:0 0 14px;padding:8px 10px;background:#f8d7da;color:#721c24;border-radius:3px}
small{display:block;margin-top:18px;text-align:center;color:#5c636a}
"""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex, nofollow">
<title>Log in | Administration</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>Administration</h1>
<form method="post" action="/admin/">
{problem}<label>Username<input name="username" type="text" autocapitalize="none" required autofocus></label>
<label>Password<input name="password" type="password" required></label>
<button type="submit">Log in</button>
</form>
<small>Authorised staff only</small>
</main>
</body>
</html>
"""
_WRONG = "<p>The username or password is incorrect.</p>\n"
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            f"style-src 'sha256-{_HASH}'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "X-Robots-Tag": "noindex, nofollow",
    "Cache-Control": "private, no-store",
}


def page(*, is_wrong: bool = False) -> Response:
    """The form; `is_wrong`: the answer to every password."""
    text = _PAGE.format(style=_STYLE, problem=_WRONG if is_wrong else "")
    return Response(text, mimetype="text/html", headers=_HEADERS)
