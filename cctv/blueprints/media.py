"""Every byte of video: live in three faces, stored files by ranges. Each request passes the token first.

No path from a client reaches the file system except through storage.paths; no page lives here.
"""

from __future__ import annotations

import io
import os
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import chain
from typing import Any

from flask import Blueprint, Flask, Response, current_app, request, stream_with_context
from werkzeug.datastructures import ContentRange
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.routing import BaseConverter
from werkzeug.wsgi import FileWrapper

from cctv import config
from cctv.blueprints._seats import seated
from cctv.errors import Invalid, NotFound, Unavailable
from cctv.extensions import db
from cctv.live import direct, low_latency, window
from cctv.live.recent import Recent
from cctv.live.tail import tails
from cctv.live.watch import Seats
from cctv.media import playlists
from cctv.services.camera import viewing
from cctv.services.camera.viewing import WatchedStream
from cctv.services.footage import footage_files, playback
from cctv.services.footage.footage_files import CloudCopy
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.storage import paths

blueprint = Blueprint("media", __name__, url_prefix="/stream/<token>/<int:camera_id>")

PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
_LIVE = "/<quality:kind>"
_SETTLED_AFTER_S = 60  # a file that was not written for so long is finished, whatever its camera did
_SEND_SECONDS = 10  # a player that takes nothing for so long is gone
_SEND_BUFFER_BYTES = 512 * 1024  # about a second: beyond it a slow viewer is noticed, and skips
_CHUNK_BYTES = 256 * 1024
_DIRECT_SEATS = 200  # gunicorn.conf.py has threads for these and for the pages
_WAITING_SEATS = 40  # requests that are held back until there is something to say
_USUAL_KBPS = 4000
# Of one person: three walls of sixteen and more, or a thief with one account.
_direct_seats = Seats(_DIRECT_SEATS, of_person=64)
_waiting_seats = Seats(_WAITING_SEATS, of_person=20)


class QualityConverter(BaseConverter):
    """One of the qualities; anything else is no address."""

    regex = "main|sub|720p|480p|360p"


class RunKeyConverter(BaseConverter):
    """The key of a run, as storage.paths spells it."""

    regex = r"[1-9][0-9]{0,9}-[0-9]{9,11}-[0-9a-f]{4}"


def register_media(app: Flask) -> None:
    """Make the addresses of video known."""
    app.url_map.converters["quality"] = QualityConverter
    app.url_map.converters["run"] = RunKeyConverter
    app.register_blueprint(blueprint)


@blueprint.get(f"{_LIVE}/master.m3u8")
def master(token: str, camera_id: int, kind: str) -> Response:
    """One variant with its codecs: for players that want to be told before they load."""
    viewer, stream, recent = _open(token, camera_id, kind)
    with _waiting_seats.one(viewer):
        viewing.wait_for_picture(stream, recent)
    run = recent.newest()
    variant = playlists.Variant(
        uri="live.m3u8",
        bits_per_second=(stream.bitrate_kbps or _USUAL_KBPS) * 1000,
        codecs=run.init.codecs if run and run.init else "",
        width=stream.width or 0,
        height=stream.height or 0,
    )
    return _playlist(playlists.master([variant]))


@blueprint.get(f"{_LIVE}/live.m3u8")
def plain(token: str, camera_id: int, kind: str) -> Response:
    """Plain HLS of the last seconds."""
    viewer, stream, recent = _open(token, camera_id, kind)
    try:
        return _playlist(window.plain_playlist(recent))
    except Unavailable:
        with _waiting_seats.one(viewer):
            viewing.wait_for_picture(stream, recent)
        return _playlist(window.plain_playlist(recent))


@blueprint.get(f"{_LIVE}/ll.m3u8")
def low_latency_playlist(token: str, camera_id: int, kind: str) -> Response:
    """Low-latency HLS; held back until the asked part is there (`_HLS_msn`, `_HLS_part`)."""
    viewer, stream, recent = _open(token, camera_id, kind)
    with _waiting_seats.one(viewer), tails.following(recent):
        viewing.wait_for_picture(stream, recent)
        msn, part = _number("_HLS_msn"), _number("_HLS_part")
        if msn is not None:
            low_latency.wait_until_reached(recent, msn, part)
        elif part is not None:
            raise Invalid({"_HLS_part": "A part needs its segment."})
        return _playlist(low_latency.low_latency_playlist(recent))


@blueprint.get(f"{_LIVE}/direct.mp4")
def direct_stream(token: str, camera_id: int, kind: str) -> Response:
    """The endless stream for Media Source Extensions; its Content-Type names the codecs."""
    viewer, stream, recent = _open(token, camera_id, kind)
    with ExitStack() as seat:
        seat.enter_context(_direct_seats.one(viewer))
        viewing.wait_patiently(stream, lambda seconds: direct.has_key_within(recent, seconds))
        first = direct.wait_for_key(recent)
        codecs = first.run.init.codecs if first.run.init else ""
        response = Response(mimetype="video/mp4", headers={"X-Accel-Buffering": "no"})
        response.headers["Content-Type"] = f'video/mp4; codecs="{codecs}"'
        if request.method == "HEAD":
            return response
        bound_sending(_SEND_BUFFER_BYTES)
        renew = stream_with_context(_renewing(token, stream, recent, first, seat.pop_all()))
        response.response = renew
        return response


@blueprint.get(f"{_LIVE}/init-<run:run_key>.mp4")
def init(token: str, camera_id: int, kind: str, run_key: str) -> Response:
    """What the fragments of a run need in front of them."""
    _, _, recent = _open(token, camera_id, kind)
    run = _remembered(recent, lambda: recent.find_run(run_key))
    return _bytes(run.growing.read_init_bytes)


@blueprint.get(f"{_LIVE}/<run:run_key>/<int(max=9999999999):second>.m4s")
def cell(token: str, camera_id: int, kind: str, run_key: str, second: int) -> Response:
    """One second of a run."""
    _, _, recent = _open(token, camera_id, kind)
    found = _remembered(recent, lambda: recent.find_cell(run_key, second))
    read = found.run.growing.read_range
    return _bytes(lambda: b"".join([read(*piece) for piece in found.ranges()]))


@blueprint.get(f"{_LIVE}/<run:run_key>/<int:number>-<int(max=9999999999):offset>.m4s")
def part(token: str, camera_id: int, kind: str, run_key: str, number: int, offset: int) -> Response:
    """One part of a run; the one that was announced is held back until it is written."""
    viewer, _, recent = _open(token, camera_id, kind)
    with _waiting_seats.one(viewer):
        run, piece = low_latency.wait_for_part(recent, run_key, f"{number}-{offset}")
    fragment = piece.fragment
    return _bytes(lambda: run.growing.read_range(piece.number, fragment.offset, fragment.size))


@blueprint.get("/play/playlist.m3u8")
def recorded(token: str, camera_id: int) -> Response:
    """The recorded footage of [`from`, `to`), epoch milliseconds."""
    access.open_media_token(token, camera_id, Action.PLAYBACK)
    start_ms, end_ms = _number("from", 16), _number("to", 16)
    if start_ms is None or end_ms is None or end_ms <= start_ms:
        raise Invalid({"to": "Give from and to in milliseconds."})
    try:
        return _playlist(playback.playlist(camera_id, start_ms, end_ms).text)
    finally:
        db.session.remove()


@blueprint.get("/play/<run:run_key>/<int:number>.mp4")
def stored(token: str, camera_id: int, run_key: str, number: int) -> Response:
    """A stored file by byte ranges; one that still grows as far as it is now.

    What is only in the cloud is read there: by a signed address of five minutes, or through us.
    """
    viewer = access.open_media_token(token, camera_id, Action.PLAYBACK)
    source = footage_files.open_source(camera_id, run_key, number)
    if isinstance(source, CloudCopy):
        return seated(_from_cloud(source), viewer)
    return seated(_stored(camera_id, run_key, number), viewer)


def _stored(camera_id: int, run_key: str, number: int) -> Response:
    try:
        descriptor = paths.open_segment(config.current().media_dir, camera_id, run_key, number)
    except (OSError, ValueError):
        raise NotFound("This footage is not there (any more).") from None
    file = io.FileIO(descriptor)
    status = os.fstat(descriptor)
    size = status.st_size
    body: Any = FileWrapper(file, _CHUNK_BYTES)
    response = Response(body, mimetype="video/mp4", direct_passthrough=True)
    response.content_length = size
    if time.time() - status.st_mtime > _SETTLED_AFTER_S:
        # Not before: a player that has a part asks for the next one with If-Range; the file has grown by
        # then, so the answer would be all of it (RFC 9110 13.1.5) where it wants four seconds.
        response.set_etag(f"{run_key}-{number}-{size}")
    bound_sending()
    try:
        response.make_conditional(request, accept_ranges=True, complete_length=size)
    except Exception:
        file.close()
        raise
    return response


def _from_cloud(copy: CloudCopy) -> Response:
    # Pages may load nothing from another host (headers.py), and buckets answer scripts of other sites only
    # where somebody has said so there; apps and players have no such rules.
    is_browser = "Sec-Fetch-Mode" in request.headers
    address = None if is_browser else copy.signed_address()
    db.session.remove()
    if address is not None:
        return Response(status=307, headers={"Location": address})
    wanted = request.range.range_for_length(copy.size_bytes) if request.range else None
    if request.range and wanted is None:
        raise RequestedRangeNotSatisfiable(length=copy.size_bytes)
    start, end = wanted or (0, copy.size_bytes)
    body: Iterator[bytes] = iter(()) if request.method == "HEAD" else copy.blocks(start, end - start)
    first = next(body, b"")  # what the bucket refuses is still a whole answer
    response = Response(stream_with_context(chain([first], body)), mimetype="video/mp4")
    response.content_length = end - start
    response.headers["Accept-Ranges"] = "bytes"
    if wanted:
        response.status_code = 206
        response.content_range = ContentRange("bytes", start, end, copy.size_bytes)
    bound_sending()
    return response


def _open(token: str, camera_id: int, kind: str) -> tuple[int, WatchedStream, Recent]:
    """Whose token it is, and what may be watched with it."""
    viewer = access.open_media_token(token, camera_id, Action.LIVE)
    return viewer, *viewing.open_stream(camera_id, kind)


def _renewing(
    token: str, stream: WatchedStream, recent: Recent, first: Any, seat: ExitStack
) -> Iterator[bytes]:
    """The direct stream, which asks every second whether its viewer may still watch."""

    def each_second() -> None:
        access.open_media_token(token, stream.camera_id, Action.LIVE)
        viewing.open_stream(stream.camera_id, stream.kind)

    with seat:
        try:
            yield from direct.direct_stream(recent, first, each_second=each_second)
        except (NotFound, Unavailable):
            return  # the right or the camera is gone: the stream ends, the player's next request says why


def _remembered(recent: Recent, find: Callable[[], Any]) -> Any:
    """What a playlist listed: from memory, else after one look at the files."""
    found = find()
    if found is None:
        recent.refresh()
        found = find()
    if found is None:
        raise NotFound("This second is not there (any more).")
    return found


def _bytes(read: Callable[[], bytes]) -> Response:
    try:
        content = read()
    except (OSError, EOFError):
        raise NotFound("This footage is not there (any more).") from None
    bound_sending()
    response = Response(content, mimetype="video/mp4")
    response.make_conditional(request, accept_ranges=True, complete_length=len(content))
    return response


def _playlist(text: str) -> Response:
    return Response(text, content_type=PLAYLIST_TYPE)


def _number(name: str, digits: int = 12) -> int | None:
    text = request.args.get(name)
    if text is None:
        return None
    if not re.fullmatch(rf"[0-9]{{1,{digits}}}", text, re.ASCII):
        raise Invalid({name: "This is not a number."})
    return int(text)


def bound_sending(buffer_bytes: int = 0) -> None:
    """Give sending an end: a thread must not wait for ever for somebody who takes nothing."""
    connection = request.environ.get("gunicorn.socket") or request.environ.get("werkzeug.socket")
    if not isinstance(connection, socket.socket):
        return
    try:
        # Of the kernel, not of Python: it counts from the last progress, and costs no poll for each send.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", _SEND_SECONDS, 0))
        if buffer_bytes:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_bytes)
    except OSError:
        current_app.logger.debug("the connection is gone")
