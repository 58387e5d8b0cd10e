"""Signed heads go into the bucket, beside the footage: there nobody of this installation can change them.

A copy never replaces another; while the bucket cannot be reached the heads wait.
"""

from __future__ import annotations

import logging

from sqlalchemy import select, update

from cctv.errors import Unavailable
from cctv.extensions import begin_writing, db
from cctv.models import ChainHead
from cctv.services.bucket import cloud
from cctv.services.proof import chain_heads
from cctv.storage.bucket_faults import BucketFault, FaultKind

_AT_ONCE = 200

_log = logging.getLogger(__name__)


def send() -> int:
    """Copy the heads that are not in the bucket yet; how many. None go while no bucket is set up."""
    place = cloud.access()
    if place is None:
        return 0
    query = select(ChainHead).where(ChainHead.is_in_cloud.is_(False)).order_by(ChainHead.id).limit(_AT_ONCE)
    heads = [
        (head.id, object_name(place.prefix, head), chain_heads.head_document(head))
        for head in db.session.scalars(query)
    ]
    db.session.commit()
    count = 0
    for head_id, name, document in heads:
        try:
            cloud.open_bucket().put_once(name, document, content_type="application/json")
        except Unavailable as error:
            _log.warning("heads wait for the bucket: %s", error.message)
            break
        except BucketFault as fault:
            if fault.kind != FaultKind.EXISTS:  # else an answer was lost: the name holds the signature
                _log.warning("heads wait for the bucket: %s", fault.sentence)
                break
        begin_writing()
        db.session.execute(
            update(ChainHead)
            .where(ChainHead.id == head_id)
            .values(is_in_cloud=True)
            .execution_options(synchronize_session=False)
        )
        db.session.commit()
        count += 1
    return count


def object_name(prefix: str, head: ChainHead) -> str:
    """Where the copy lies; the first half of the signature makes it unguessable and its own."""
    folder = f"{prefix}/" if prefix else ""
    return f"{folder}heads/camera-{head.camera_id}/{head.day.isoformat()}-{head.signature[:64]}.json"
