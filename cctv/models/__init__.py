"""The nouns and their tables. What concerns one row lives here; never a query across nouns."""

from cctv.models.activity import Activity
from cctv.models.api import ApiToken, IdempotencyKey
from cctv.models.audit import AuditEntry
from cctv.models.camera import Camera, ModeChange, RecordingMode
from cctv.models.code import CodePurpose, OneTimeCode, RecoveryCode
from cctv.models.event import Event
from cctv.models.evidence import ChainHead, ChainRemoval, RemovalReason
from cctv.models.export import Export, ExportState
from cctv.models.grant import CameraGrant, CameraGroup, GroupGrant
from cctv.models.mail import MailBatch, MailMessage, MailState
from cctv.models.node import Node
from cctv.models.notice import Notice, NoticeKind
from cctv.models.probe import Probe
from cctv.models.recording import Gap, Recording, RecordingKind
from cctv.models.schedule import Schedule, ScheduleCamera, ScheduleVersion
from cctv.models.segment import Run, Segment, SegmentState
from cctv.models.session import Session, SessionKind
from cctv.models.setting import Setting
from cctv.models.stream import StateChange, Stream, StreamKind, StreamState
from cctv.models.transfer import Transfer, TransferState
from cctv.models.trap import TrapAttempt, TrappedAddress
from cctv.models.user import Role, User

__all__ = [
    "Activity",
    "ApiToken",
    "AuditEntry",
    "Camera",
    "CameraGrant",
    "CameraGroup",
    "ChainHead",
    "ChainRemoval",
    "CodePurpose",
    "Event",
    "Export",
    "ExportState",
    "Gap",
    "GroupGrant",
    "IdempotencyKey",
    "MailBatch",
    "MailMessage",
    "MailState",
    "ModeChange",
    "Node",
    "Notice",
    "NoticeKind",
    "OneTimeCode",
    "Probe",
    "Recording",
    "RecordingKind",
    "RecordingMode",
    "RecoveryCode",
    "RemovalReason",
    "Role",
    "Run",
    "Schedule",
    "ScheduleCamera",
    "ScheduleVersion",
    "Segment",
    "SegmentState",
    "Session",
    "SessionKind",
    "Setting",
    "StateChange",
    "Stream",
    "StreamKind",
    "StreamState",
    "Transfer",
    "TransferState",
    "TrapAttempt",
    "TrappedAddress",
    "User",
]
