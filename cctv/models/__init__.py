"""The nouns and their tables. What concerns one row lives here; never a query across nouns."""

from cctv.models.camera import Camera, ModeChange, RecordingMode
from cctv.models.event import Event
from cctv.models.node import Node
from cctv.models.probe import Probe
from cctv.models.recording import Gap, Recording, RecordingKind
from cctv.models.segment import Run, Segment, SegmentState
from cctv.models.session import Session
from cctv.models.setting import Setting
from cctv.models.stream import StateChange, Stream, StreamKind, StreamState
from cctv.models.user import Role, User

__all__ = [
    "Camera",
    "Event",
    "Gap",
    "ModeChange",
    "Node",
    "Probe",
    "Recording",
    "RecordingKind",
    "RecordingMode",
    "Role",
    "Run",
    "Segment",
    "SegmentState",
    "Session",
    "Setting",
    "StateChange",
    "Stream",
    "StreamKind",
    "StreamState",
    "User",
]
