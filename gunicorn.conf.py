"""Settings of the web server that the streams need. Where to listen is given on the command line."""

import contextlib
import re
import socket
import time
from functools import lru_cache
from pathlib import Path

from gunicorn.glogging import Logger
from gunicorn.workers import gthread

# One process: live windows, tails and small caches are shared by all viewers (DECISIONS 19).
workers = 1
# A direct stream holds a thread for as long as somebody watches: 200 viewers and the pages beside them.
threads = 256
worker_connections = 1000
# Players ask for a playlist each second: the connection must outlive the pause between two questions.
keepalive = 15
# gthread reports itself alive while threads are busy, so endless answers live; only a stuck process ends.
timeout = 60
# An endless stream never finishes by itself: a stop waits this long for short answers and then cuts.
graceful_timeout = 2
# The heartbeat file must not wait for a slow disk.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None
# Stream addresses hold a signed token of about 200 characters.
limit_request_line = 4094
limit_request_fields = 100
limit_request_field_size = 8190
# The control socket would lie in the home folder, shared by everything of this user.
control_socket_disable = True
# Who may say who the client is, and how it came, is decided in one place: blueprints/proxies.py.
forwarded_allow_ips = ""
accesslog = "-"
errorlog = "-"
access_log_format = '%(h)s "%(r)s" %(s)s %(b)s %(M)sms "%(f)s" "%(a)s"'


class ImpatientWorker(gthread.ThreadWorker):
    """gthread, but a request that does not arrive does not hold its thread for ever.

    256 clients that each sent half a request stopped every page until they went away (measured).
    """

    idle_seconds = 0.05  # a new connection that says nothing waits without a thread
    head_seconds = 10  # from the first byte to the end of the headers
    body_seconds = 30  # for at most 2 MB

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._reading = {}  # connection -> when it must have been read

    def handle(self, conn):
        """Read and answer a request; in a thread of the pool."""
        if not conn.initialized and not conn.data_ready:
            conn.wait_for_data(self.idle_seconds)
            if not conn.data_ready:
                return gthread._DEFER
        self._reading[conn] = time.monotonic() + self.head_seconds
        try:
            return super().handle(conn)
        finally:
            self._reading.pop(conn, None)

    def handle_request(self, req, conn):
        """The headers are there."""
        if req.body is None or self._has_no_body(req):
            self._reading.pop(conn, None)
        else:
            self._reading[conn] = time.monotonic() + self.body_seconds
        return super().handle_request(req, conn)

    def murder_pending(self):
        """Every second in the main thread: what is not read by now is read no further."""
        super().murder_pending()
        now = time.monotonic()
        for conn, until in list(self._reading.items()):
            if until < now:
                self._reading.pop(conn, None)
                with contextlib.suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RD)

    @staticmethod
    def _has_no_body(req):
        names = {name.upper() for name, _ in req.headers}
        return not names & {"CONTENT-LENGTH", "TRANSFER-ENCODING"}


worker_class = ImpatientWorker

_TOKEN = re.compile(r"(/(?:stream|invite)/)[^/\s?\"]+")
_SECRET = re.compile(r"([?&](?:[a-z_]*(?:token|code|key|password|secret|signature)|sig|otp)=)[^&\s\"]*", re.I)
_CREDENTIALS = re.compile(r"(\w+(?:://|%3A%2F%2F))[^/\s\"&]*(?:@|%40)", re.I)


@lru_cache(512)
def masked(text):
    """Tokens of streams and invitations, secrets in a query and credentials in an address become ***."""
    return _CREDENTIALS.sub(r"\1***@", _SECRET.sub(r"\1***", _TOKEN.sub(r"\1***", text)))


class MaskedLogger(Logger):
    """Gunicorn's logger, whose access lines hold no secret."""

    def atoms(self, resp, req, environ, request_time):
        """The values of an access line."""
        atoms = super().atoms(resp, req, environ, request_time)
        for name in ("r", "U", "q", "f"):
            atoms[name] = masked(str(atoms.get(name) or "-"))
        return atoms


logger_class = MaskedLogger
