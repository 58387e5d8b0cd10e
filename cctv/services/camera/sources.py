"""Where a stream comes from, whole: what a keeper must know to go on for days without the database.

Holds a password in memory only, never in a repr, a log or a queue.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cctv import config
from cctv.errors import NotFound
from cctv.extensions import db
from cctv.media import addresses
from cctv.models import Stream, StreamKind
from cctv.services.camera import cameras


@dataclass(frozen=True, slots=True)
class Source:
    """One stream to capture and what was learnt about it."""

    stream_id: int
    camera_id: int
    kind: str
    revision: int
    is_on_demand: bool
    is_demo: bool = False
    url: str | None = field(default=None, repr=False)  # with credentials; None: derived
    has_login: bool = False
    credentials_worked: bool = False
    full_analysis: bool = False
    wallclock: bool = False
    video_codec: str | None = None
    audio_source: str | None = None
    main_stream_id: int | None = None

    @property
    def is_derived(self) -> bool:
        """Transcoded from the main stream's own files."""
        return StreamKind(self.kind).is_derived


def load(stream_id: int) -> Source:
    """The source of a stream.

    Raises:
        NotFound: there is no such stream.
        Unavailable: the stored password cannot be opened.
    """
    stream = db.session.get(Stream, stream_id)
    if stream is None:
        raise NotFound("This stream does not exist (any more).")
    camera = stream.camera
    source = Source(
        stream_id=stream.id,
        camera_id=stream.camera_id,
        kind=stream.kind,
        revision=stream.revision,
        is_on_demand=stream.is_on_demand,
        is_demo=camera.is_demo,
        url=cameras.capture_url(stream) if stream.url else None,
        has_login=bool(camera.username or camera.password_encrypted),
        credentials_worked=stream.credentials_worked,
        full_analysis=stream.full_analysis,
        wallclock=stream.wallclock,
        video_codec=stream.video_codec,
        audio_source=stream.audio_source,
        main_stream_id=camera.main.id,
    )
    db.session.commit()
    return source


def networks(source: Source) -> addresses.Networks:
    """The networks in which the address of the source must lie, asked again at every attempt."""
    return cameras.networks(is_demo=source.is_demo)


def transcode_limit() -> int:
    """How many derived streams one node makes at a time."""
    return config.current().transcode_limit
