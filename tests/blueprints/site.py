"""The application behind a socket that a test can close and open again."""

from __future__ import annotations

import threading

from flask import Flask
from werkzeug.serving import BaseWSGIServer, make_server

from tests.blueprints.sample_page import add_sample_pages
from tests.servers import free_port


class Site:
    """Serves the application, with the sample pages, to a real browser. Forms need their token here."""

    def __init__(self, app: Flask) -> None:
        self.seen = add_sample_pages(app)
        app.config["WTF_CSRF_ENABLED"] = True
        self._app, self.port = app, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.open()

    def open(self) -> None:
        """Listen, on the same port as before."""
        self._server: BaseWSGIServer = make_server("127.0.0.1", self.port, self._app, threaded=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening: connections are refused."""
        self._server.shutdown()
        self._server.server_close()
