"""What a browser asks for without a person: manifest, service worker, offline page, sign of life.

Tells strangers the organisation's name, as the sign-in page does, and nothing else.
"""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, make_response, render_template, request, url_for

from cctv.blueprints.frame import THEME_COOKIE, Frame, asset

blueprint = Blueprint("shell", __name__)

# What the offline page needs; pages and footage are never cached.
_SHELL = ("css/tokens.css", "css/error.css", "js/offline.js", "img/icon.svg")


@blueprint.get("/alive")
def alive() -> Response:
    """204 while this process answers: pages ask it to notice a lost connection. Reads nothing."""
    return make_response("", 204)


@blueprint.get("/manifest.webmanifest")
def manifest() -> Response:
    """The installable app: name, icons, where it opens."""
    name = Frame(request).organisation
    body = {
        "name": name,
        "short_name": name[:12],
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": "#0b0e13",
        "theme_color": "#131820",
        "icons": [
            {"src": asset("img/icon.svg"), "sizes": "any", "type": "image/svg+xml"},
            {"src": asset("img/icon-192.png"), "sizes": "192x192", "type": "image/png"},
            {
                "src": asset("img/icon-512.png"),
                "sizes": "512x512",
                "type": "image/png",
                "purpose": "any maskable",
            },
        ],
        "shortcuts": [{"name": "Wall", "url": "/wall"}, {"name": "Playback", "url": "/playback"}],
    }
    response = jsonify(body)
    response.headers["Content-Type"] = "application/manifest+json"
    response.headers["Cache-Control"] = "no-cache"
    return response


@blueprint.get("/sw.js")
def service_worker() -> Response:
    """Served from the root, because a worker reaches its own folder; never cached, to be replaceable."""
    files = [url_for("shell.offline"), *(asset(path) for path in _SHELL)]
    response = make_response(render_template("sw.js", files=files))
    response.headers["Content-Type"] = "text/javascript; charset=utf-8"
    response.headers["Cache-Control"] = "no-cache"
    return response


@blueprint.get("/offline")
def offline() -> Response:
    """What the service worker shows when the server cannot be reached."""
    theme = request.cookies.get(THEME_COOKIE, "dark")
    response = make_response(
        render_template("errors/offline.html", name=Frame(request).organisation, theme=theme)
    )
    response.headers["Cache-Control"] = "no-cache"
    return response
