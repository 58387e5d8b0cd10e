"""Is the chain of a camera whole? Follows it from the first link and tells every place where it is not.

Looks at rows, signed heads and what this machine remembers; the files themselves are read by verification.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from sqlalchemy import select

from cctv.clock import from_ms
from cctv.extensions import begin_writing, db
from cctv.models import Camera, ChainHead, ChainRemoval, RemovalReason
from cctv.services.auditing import audit
from cctv.services.proof import chain, chain_heads, chain_links, chain_tips, evidence_key
from cctv.services.proof.chain_links import Link


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was written. `kind`: a code of damage.py, or of this module's own."""

    camera_id: int
    camera: str
    kind: str  # entry_changed | entry_missing | lost | head_differs | head_forged | tip_differs | ...
    started_ms: int | None  # of the footage, as far as it is known
    ended_ms: int | None
    link: int | None
    what: str  # for a person, after the camera and the time
    where: str = ""  # run and file

    @property
    def sentence(self) -> str:
        """Camera, time and damage for a person."""
        when = f"{from_ms(self.started_ms):%Y-%m-%d %H:%M:%S} UTC" if self.started_ms else "at no known time"
        place = f" ({self.where})" if self.where else ""
        return f"{self.camera} (camera {self.camera_id}), {when}: {self.what}{place}."

    def as_dict(self) -> dict[str, object]:
        """For --json."""
        return asdict(self) | {"sentence": self.sentence}


@dataclass(slots=True)
class _Walk:
    """Following one chain."""

    camera_id: int
    name: str
    links: dict[int, Link]
    removals: dict[int, ChainRemoval]  # by each number that they cover the first of
    heads: dict[int, list[ChainHead]]
    tips: list[tuple[chain.Tip, str]]  # with who says so
    findings: list[Finding] = field(default_factory=list)
    before: str | None = chain.START  # None: not known
    last: Link | None = None
    checked: int = 0

    def tell(self, kind: str, what: str, *, link: Link | None = None, number: int | None = None) -> None:
        facts = link.facts if link else None
        self.findings.append(
            Finding(
                camera_id=self.camera_id,
                camera=self.name,
                kind=kind,
                started_ms=facts.started_ms if facts else None,
                ended_ms=facts.ended_ms if facts else None,
                link=number if number is not None else (link.number if link else None),
                what=what,
                where=f"{facts.run}/{facts.file:05d}.mp4" if facts else "",
            )
        )


def check(camera_id: int) -> tuple[int, list[Finding]]:
    """(links that were followed, what is wrong) of one camera, in the order of the chain."""
    camera = db.session.execute(
        select(Camera.name, Camera.chain_number, Camera.chain_hash).where(Camera.id == camera_id)
    ).one()
    # Before the rows: what is linked meanwhile only adds to them.
    tips = [(chain.Tip(camera.chain_number, camera.chain_hash), "the camera's own entry")]
    kept = chain_tips.of_camera(camera_id)
    if kept is not None:
        tips.append((kept, "this machine's memory"))
    # The rows before the removals: what goes meanwhile is then in both, and not in neither.
    links = {link.number: link for link in chain_links.list_links(camera_id)}
    walk = _Walk(
        camera_id=camera_id,
        name=camera.name,
        links=links,
        removals={one.first_number: one for one in chain_links.list_removals(camera_id)},
        heads={},
        tips=tips,
    )
    for head in chain_heads.list_heads(camera_id):
        walk.heads.setdefault(head.number, []).append(head)
    db.session.commit()
    _follow(walk)
    _check_signatures(walk)
    return walk.checked, walk.findings


def accept() -> int:
    """Believe the newest links that the database knows, after a restored backup; of how many cameras. The
    audit log says that somebody did."""
    begin_writing()
    rows = db.session.execute(select(Camera.id, Camera.chain_number, Camera.chain_hash)).all()
    tips = {camera_id: chain.Tip(number, digest) for camera_id, number, digest in rows if number}
    audit.add("chain.accept", cameras=len(tips))
    db.session.commit()
    chain_tips.replace(tips)
    return len(tips)


def _follow(walk: _Walk) -> None:
    end = max(
        [
            0,
            *walk.links,
            *walk.heads,
            *(tip.number for tip, _who in walk.tips),
            *(one.last_number for one in walk.removals.values()),
        ]
    )
    number = 1
    while number <= end:
        link = walk.links.get(number)
        if link is not None:
            _check_link(walk, link)
            number += 1
        elif (removal := _removal_at(walk, number)) is not None:
            _pass_removal(walk, removal)
            number = removal.last_number + 1
        else:
            number = _pass_hole(walk, number, end)


def _check_link(walk: _Walk, link: Link) -> None:
    walk.checked += 1
    if walk.before is not None and chain.link_hash(walk.before, link.facts.digest) != link.hash:
        walk.tell("entry_changed", f"its entry, link {link.number}, is not as it was written", link=link)
    walk.before, walk.last = link.hash, link
    _compare(walk, link.number, link.hash, link)


def _compare(walk: _Walk, number: int, found: str, link: Link | None) -> None:
    for head in walk.heads.get(number, []):
        if head.hash != found:
            what = f"the signed head of {head.day} knows another link {number}"
            walk.tell("head_differs", what, link=link, number=number)
    for tip, who in walk.tips:
        if tip.number == number and tip.hash != found:
            walk.tell("tip_differs", f"{who} knows another link {number}", link=link, number=number)


def _removal_at(walk: _Walk, number: int) -> ChainRemoval | None:
    exact = walk.removals.get(number)
    if exact is not None:
        return exact
    return next(
        (one for one in walk.removals.values() if one.first_number <= number <= one.last_number), None
    )


def _pass_removal(walk: _Walk, removal: ChainRemoval) -> None:
    if removal.reason == RemovalReason.LOST:
        count = removal.last_number - removal.first_number + 1
        files = "a file was" if count == 1 else f"{count} files were"
        walk.findings.append(
            Finding(
                camera_id=walk.camera_id,
                camera=walk.name,
                kind="lost",
                started_ms=removal.started_ms,
                ended_ms=removal.ended_ms,
                link=removal.first_number,
                what=f"{files} found missing or cut short on {removal.removed_at:%Y-%m-%d %H:%M} UTC; "
                "nobody had removed them",
            )
        )
    walk.before, walk.last = removal.last_hash, None
    _compare(walk, removal.last_number, removal.last_hash, None)


def _pass_hole(walk: _Walk, number: int, end: int) -> int:
    """Links that are neither there nor taken out; where the chain goes on."""
    following = number + 1
    while following <= end and following not in walk.links and _removal_at(walk, following) is None:
        following += 1
    after = walk.links.get(following)
    links = f"link {number} is" if following == number + 1 else f"links {number} to {following - 1} are"
    walk.findings.append(
        Finding(
            camera_id=walk.camera_id,
            camera=walk.name,
            kind="entry_missing",
            started_ms=walk.last.facts.ended_ms if walk.last else None,
            ended_ms=after.facts.started_ms if after else None,
            link=number,
            what=f"after this, {links} missing, and nothing says that the footage was removed",
        )
    )
    walk.before, walk.last = None, None
    return following


def _check_signatures(walk: _Walk) -> None:
    known = evidence_key.known_keys() if walk.heads else {}
    for heads in walk.heads.values():
        for head in heads:
            if not chain_heads.is_genuine(head, known):
                what = f"the head of {head.day} is not signed by a key of this installation"
                walk.tell("head_forged", what, link=walk.links.get(head.number), number=head.number)
