"""Addresses of video that play in any player, without cookies and headers: signed for the asker.

Whole addresses, as the asker reached us: blueprints/hosts.py has refused foreign names before.
"""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Any

from flask import request

from cctv.blueprints.api._shapes import Answer, count, said
from cctv.clock import from_ms, now_ms
from cctv.models import Camera, StreamKind, User
from cctv.services.footage.playback import LONGEST_PLAYLIST_MS
from cctv.services.person import access
from cctv.services.person.access import Action

# docs/figures.md, rounded up: a phone's own network comes on top.
LATENCY_SECONDS = {"hls": 2.0, "low_latency": 1.0, "direct": 0.5}
_BEST_FIRST = (StreamKind.MAIN, StreamKind.SUB, StreamKind.P720, StreamKind.P480, StreamKind.P360)


class Piece(Answer):
    """An HLS playlist of a part of the footage."""

    from_ms = count("Where it begins.")
    to_ms = count("Where it ends.")
    url = said("HLS playlist; 404 when nothing was recorded in this part.")


def expires_at(user: User) -> datetime:
    """When the addresses that are made now die by themselves."""
    ends_ms = now_ms() + access.TOKEN_SECONDS * 1000
    return from_ms(min(ends_ms, user.session_ends_ms or ends_ms))


def qualities(user: User, camera: Camera) -> list[dict[str, Any]]:
    """For the shape Quality."""
    base = f"{_here()}/stream/{access.media_token(user, camera.id, Action.LIVE)}/{camera.id}"
    found = [stream for kind in _BEST_FIRST if (stream := camera.stream(kind))]
    height = camera.main.height or 10_000
    return [
        {
            "quality": stream.kind,
            "is_converted": StreamKind(stream.kind).is_derived,
            "codec": stream.video_codec,
            "width": stream.width,
            "height": stream.height,
            "hls_url": f"{base}/{stream.kind}/live.m3u8",
            "low_latency_url": f"{base}/{stream.kind}/ll.m3u8",
            "direct_url": f"{base}/{stream.kind}/direct.mp4",
        }
        for stream in found
        if not StreamKind(stream.kind).is_derived or int(stream.kind[:-1]) < height
    ]


def pieces(user: User, camera_id: int, start_ms: int, end_ms: int) -> list[dict[str, Any]]:
    """For the shape Piece: as many as playlists may be long."""
    token = access.media_token(user, camera_id, Action.PLAYBACK)
    base = f"{_here()}/stream/{token}/{camera_id}/play/playlist.m3u8"
    cuts = [*range(start_ms, end_ms, LONGEST_PLAYLIST_MS), end_ms]
    return [
        {"from_ms": begin, "to_ms": end, "url": f"{base}?from={begin}&to={end}"}
        for begin, end in pairwise(cuts)
    ]


def _here() -> str:
    return request.host_url.rstrip("/")
