"""No link that a page shows leads to a refusal, and nobody meets the name of a camera that is not theirs."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from cctv.clock import now_ms
from cctv.extensions import db
from cctv.models import Camera, ModeChange, Role
from cctv.services.footage import segments
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.person.matrix import GRANTABLE
from tests.access import expectation
from tests.access.asking import Answer, Asker, is_api
from tests.access.conftest import FOREIGN_ID, FOREIGN_NAME
from tests.access.crawling import crawl
from tests.access.people import ANONYMOUS, EVERYBODY, add_person, grant
from tests.media.loops import EPOCH_S
from tests.services.footage import MINUTE, closed_files, make_node, put_real_run

ENTRIES = expectation.read()
# Who was granted neither the live picture nor playback.
BLIND = {
    ANONYMOUS,
    "developer",
    "visitor",
    *(f"visitor_{one}" for one in ("snapshot", "record", "ptz", "export")),
}
GUARD = "guard"  # a Visitor who was granted everything, on one camera


@pytest.fixture
def site(app: Flask, asker: Asker) -> Asker:
    """With footage that has a hole, cameras in trouble, and a guard."""
    guard = add_person(app, Role.VISITOR, GUARD)
    grant(app, guard, asker.camera_ids["granted"], GRANTABLE)
    asker.join(GUARD, guard)
    with app.app_context():
        node = make_node()
        for camera_id in (asker.camera_ids["granted"], FOREIGN_ID):
            camera = db.session.get_one(Camera, camera_id)
            db.session.add(
                ModeChange(camera_id=camera_id, mode="continuous", started_ms=now_ms() - 10 * MINUTE)
            )
            for ordinal, minutes in ((1, 9), (2, 2)):  # and a hole between them
                shift_ms = now_ms() - minutes * MINUTE - EPOCH_S * 1000
                folder = put_real_run(camera, ordinal=ordinal, seconds=8, shift_ms=shift_ms, node=node)
                segments.index(closed_files(folder))
        db.session.commit()
    asker.keep()
    return asker


def starts(asker: Asker, person: str) -> list[str]:
    """The pages that this person may open, also those that no link leads to."""
    known = person if person in EVERYBODY else "visitor_live"
    found = ["/"]
    for entry in ENTRIES:
        for index, subject in enumerate(entry.subjects):
            is_page = not entry.needs_footage and not is_api(entry.rule) and "filename" not in entry.rule
            if is_page and entry.method == "GET" and entry.status(known, index) == 200:
                found.append(asker.address(entry, subject))
    return found


def walk(asker: Asker, person: str) -> list[tuple[str, Answer]]:
    """What everything that this person can reach answers, with where it stood."""

    def opens(method: str, address: str, is_htmx: bool) -> Answer:
        headers = asker.headers(person, address) | ({"HX-Request": "true"} if is_htmx else {})
        return asker.open(method, address, headers)

    return [
        (f"{seen.method} {seen.address} on {seen.page}", seen.answer)
        for seen in crawl(opens, starts(asker, person))
    ]


@pytest.mark.parametrize("person", [*EVERYBODY, GUARD])
def test_no_link_leads_to_a_refusal(app: Flask, site: Asker, person: str) -> None:
    seen = walk(site, person)
    refused = [f"{where}: {answer.status}" for where, answer in seen if answer.status in (401, 403, 404, 405)]
    refused += [
        f"{where} -> {a.location}: {a.leads_to}" for where, a in seen if a.leads_to in (401, 403, 404)
    ]
    broken = [f"{where}: {answer.status}" for where, answer in seen if answer.status == 500]
    assert not refused + broken, "\n".join(["", *refused, *broken])
    streams = {
        found for _, answer in seen for found in re.findall(r"/stream/([^/]+)/(\d+)/(play)?", answer.text)
    }
    with app.app_context():
        for token, camera_id, kind in streams:
            access.open_media_token(token, int(camera_id), Action.PLAYBACK if kind else Action.LIVE)
    assert bool(streams) == (person not in BLIND)


def told(answer: Answer, address: str) -> bool:
    """Whether an answer tells of the foreign camera; an id that the request brought is no news."""
    text = f"{answer.text}{answer.headers}"
    return (
        FOREIGN_NAME in text
        or "/zebra" in text
        or (str(FOREIGN_ID) in text and str(FOREIGN_ID) not in address)
    )


def test_a_guard_never_meets_a_camera_that_is_not_shared(site: Asker) -> None:
    leaks = [
        where for where, answer in walk(site, GUARD) if told(answer, where) or "rtsp://127" in answer.text
    ]
    for entry in ENTRIES:
        if entry.needs_footage:
            continue
        for subject in entry.subjects:
            answer = site.answer(entry, GUARD, subject)
            leaks += [f"{entry.label} about {subject}"] * told(
                answer, str(FOREIGN_ID) if subject == "foreign" else ""
            )
    assert not leaks, "\n".join(["", *leaks])


def test_the_same_search_finds_it_for_who_may_know_it(site: Asker) -> None:
    pages = [where for where, answer in walk(site, "super_admin") if told(answer, "")]
    for page in ("GET /cameras on", "GET /search on", "GET / on", "GET /wall on", "GET /playback"):
        assert any(where.startswith(page) for where in pages), page


def test_strangers_are_told_nothing_of_any_camera(site: Asker) -> None:
    for where, answer in walk(site, ANONYMOUS):
        assert not told(answer, ""), where
        assert "Gate" not in answer.text, where
