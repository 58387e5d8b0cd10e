"""The periodic jobs: what must happen although nobody asked. Short, and safe to run twice or late.

What touches bytes is enqueued for the node that holds them.
"""

from __future__ import annotations

from cctv import queue
from cctv.clock import utcnow
from cctv.services.auditing import audit_check
from cctv.services.camera import captures, probes
from cctv.services.export import exports
from cctv.services.footage import daily_report, gaps
from cctv.services.lifetime import clean_up, forgetting
from cctv.services.mailing import mail, notices
from cctv.services.movement import activity as watched
from cctv.services.proof import chain_heads, head_copies, scrub
from cctv.services.recording import recording_rules, recordings
from cctv.services.schedule import schedules
from cctv.services.sign_in import codes, sessions
from cctv.services.site import idempotency, nodes


def tick() -> None:
    """Every 10 s: captures and exports without worker, a moved site, recordings that end, new days, gaps."""
    captures.dispatch()
    schedules.follow_zone()
    recordings.tick()
    probes.forget_passwords()
    gaps.settle_all()
    _look_for_activity()
    exports.enqueue_waiting()


def hourly() -> None:
    """Every hour: forget what is old, verify the audit log, and let each node make rows and files agree."""
    probes.forget_old()
    codes.forget_old()
    sessions.forget_old()
    idempotency.forget_old()
    audit_check.verify_hourly()
    daily_report.send_due()
    recording_rules.follow(look_back_ms=recording_rules.FAR_BACK_MS)
    for node in nodes.list_nodes():
        queue.enqueue(queue.media(node.key), "cctv.jobs.storage.reconcile", node.id, timeout_seconds=1800)
        queue.enqueue(queue.media(node.key), "cctv.jobs.exports.expire", node.id)
        queue.enqueue(queue.media(node.key), "cctv.jobs.storage.clean_up")


def daily() -> None:
    """Every day: forget the history of times of which no footage is left, old mails, jobs and cameras."""
    forgetting.forget_history()
    recording_rules.forget_gone()
    mail.forget_old()
    notices.forget_old()
    clean_up.forget_failed_jobs()
    clean_up.forget_deleted_cameras()


def rules() -> None:
    """Every minute: list what schedules and activity kept."""
    recording_rules.follow()


def heads() -> None:
    """Every hour: sign the heads of days that are over, copy them into the bucket, follow some chains."""
    chain_heads.sign_due()
    head_copies.send()
    scrub.check_chains(hour=utcnow().hour)


def hashes() -> None:
    """Every few minutes: each node hashes what it stored lately and reads some of the old again."""
    for node in nodes.list_nodes():
        queue.enqueue(queue.media(node.key), "cctv.jobs.storage.hash_segments", node.id)
        queue.enqueue(queue.media(node.key), "cctv.jobs.storage.scrub_segments", node.id)


def _look_for_activity() -> None:
    """Each node looks at what it stored since; where nobody does, it is told."""
    for node in watched.nodes_with_news():
        if queue.is_idle(queue.activity(node.key)):
            queue.enqueue(queue.activity(node.key), "cctv.jobs.activity.watch", node.id)
    watched.tell_of_silence()
