"""Reads the chain of a camera: its links in order, and the places where links were taken out.

Reads rows only and judges nothing; what is wrong with them is told by services/proof/chain_check.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import select

from cctv.extensions import db
from cctv.models import ChainRemoval, Run, Segment
from cctv.services.footage.finding import stream_id_of
from cctv.services.proof import chain
from cctv.services.proof.chain import Facts


class Link(NamedTuple):
    """A link that has its row. `facts` are what the row says now, `hash` what was written once."""

    segment_id: int
    facts: Facts
    hash: str

    @property
    def number(self) -> int:
        """Its place in the chain, from 1."""
        return self.facts.link


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a chain that shows the hash of each link without telling what it is about.

    `links`: for each in order the digest of its facts, or the removal that stands for several.
    """

    first: int
    before: str  # hash of the link before the first
    links: list[str | ChainRemoval]


def list_links(camera_id: int, *, first: int = 1, last: int = 2**31 - 1) -> list[Link]:
    """The links of a camera that have a row, in order."""
    query = (
        select(
            Segment.id,
            Run.key,
            Segment.number,
            Segment.started_ms,
            Segment.ended_ms,
            Segment.start_ticks,
            Segment.duration_ticks,
            Segment.size_bytes,
            Segment.sha256,
            Segment.chain_number,
            Segment.chain_hash,
        )
        .join(Run, Run.id == Segment.run_id)
        .where(Segment.stream_id == stream_id_of(camera_id), Segment.chain_number.between(first, last))
    )
    found = [
        Link(
            row.id,
            chain.facts_of(camera_id, row.chain_number, row, row.sha256 or ""),
            row.chain_hash or "",
        )
        for row in db.session.execute(query)
    ]
    db.session.commit()
    return sorted(found, key=lambda link: (link.number, link.segment_id))


def list_removals(camera_id: int) -> list[ChainRemoval]:
    """Where links were taken out, in order."""
    query = select(ChainRemoval).where(ChainRemoval.camera_id == camera_id)
    return list(db.session.scalars(query.order_by(ChainRemoval.first_number)))


def hash_of(camera_id: int, number: int) -> str | None:
    """The hash of a link as the database has it; None when the footage went and took it along."""
    links = {link.number: link for link in list_links(camera_id, first=number, last=number)}
    return _hash_at(number, links, list_removals(camera_id)) or None


def section(camera_id: int, first: int, last: int) -> Section:
    """The part from link `first` to `last`, stretched to whole removals. A hole in it ends it."""
    links = {link.number: link for link in list_links(camera_id, first=first - 1, last=last)}
    removals = list_removals(camera_id)
    before = _hash_at(first - 1, links, removals)
    steps: list[str | ChainRemoval] = []
    number = first
    while number <= last:
        link = links.get(number)
        if link is not None:
            steps.append(link.facts.digest)
            number += 1
            continue
        removal = next((one for one in removals if one.first_number <= number <= one.last_number), None)
        if removal is None:
            break
        steps.append(removal)
        number = removal.last_number + 1
    return Section(first, before, steps)


def _hash_at(number: int, links: dict[int, Link], removals: list[ChainRemoval]) -> str:
    """Empty when nothing is known of it."""
    if number == 0:
        return chain.START
    if number in links:
        return links[number].hash
    return next((one.last_hash for one in removals if one.last_number == number), "")
