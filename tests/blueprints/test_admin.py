"""/admin/: a decoy for everybody but signed-in administrators, its log, and who is shut out by it."""

from __future__ import annotations

import csv
import io
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from cctv.extensions import db
from cctv.models import AuditEntry, Role, TrapAttempt, TrappedAddress, User
from cctv.services.sign_in import honeypot
from cctv.services.sign_in.honeypot import Attempt
from tests.blueprints.camera_rows import HTML, HTMX, QueryCount, add_camera, add_person
from tests.fixtures.application import OWNER_PASSWORD, sign_in
from tests.servers import RedisServer

CANARY = "canary-Geheim-4711"
STRANGER = {"REMOTE_ADDR": "9.9.9.9"}


@pytest.fixture
def people(app: Flask, owner: User) -> dict[str, User]:
    return {"super_admin": owner} | {
        role.value: add_person(app, role) for role in Role if role != Role.SUPER_ADMIN
    }


def knock(client: FlaskClient, times: int = 1, **base: str) -> None:
    for _ in range(times):
        answer = client.post(
            "/admin/", data={"username": "root", "password": CANARY}, environ_base=STRANGER | base
        )
        assert answer.status_code == 200


def trapped(app: Flask) -> list[TrappedAddress]:
    with app.app_context():
        rows = list(db.session.scalars(select(TrappedAddress).order_by(TrappedAddress.id)))
        db.session.expunge_all()
        return rows


class TestDecoy:
    def test_everybody_but_administrators_sees_the_same(self, app: Flask, people: dict[str, User]) -> None:
        clients = [app.test_client(), *(sign_in(app, people[role]) for role in ("developer", "visitor"))]
        pages = {
            client.get(path).text for client in clients for path in ("/admin/", "/admin", "/admin/login.php")
        }
        assert len(pages) == 1
        (page,) = pages
        assert "Administration" in page and "noindex" in page
        for ours in ("CCTV", "camera", "/static/", "/login", "Olive", "csrf"):
            assert ours.lower() not in page.lower()

    @pytest.mark.parametrize("typed", [("owner@example.org", OWNER_PASSWORD), ("x", "y"), ("", "")])
    def test_every_password_is_wrong(self, client: FlaskClient, owner: User, typed: tuple[str, str]) -> None:
        first = client.post("/admin/", data={"username": "a", "password": "b"})
        answer = client.post("/admin/", data={"username": typed[0], "password": typed[1]})
        assert answer.status_code == 200
        assert answer.get_data() == first.get_data()
        assert "incorrect" in answer.text

    def test_its_headers_tell_nothing_and_allow_nothing(self, client: FlaskClient) -> None:
        for headers in (HTML, HTMX, {"Accept": "application/json"}):
            answer = client.get("/admin/", headers=headers)
            assert answer.status_code == 200 and answer.mimetype == "text/html"
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
            assert "Set-Cookie" not in answer.headers

    def test_it_answers_without_the_database(self, app: Flask, people: dict[str, User]) -> None:
        stale = sign_in(app, people["admin"])
        with app.app_context():
            db.session.execute(db.text("ALTER TABLE session RENAME TO elsewhere"))
            db.session.commit()
        assert "incorrect" in stale.post("/admin/", data={"username": "a", "password": "b"}).text

    def test_nobody_is_sent_there(self, app: Flask, people: dict[str, User]) -> None:
        for client in (app.test_client(), sign_in(app, people["visitor"]), sign_in(app, people["developer"])):
            for path in ("/", "/login", "/wall", "/audit", "/robots.txt"):
                page = client.get(path, headers=HTML, follow_redirects=True).text
                assert 'href="/admin' not in page

    def test_an_attempt_is_kept_with_the_real_address_and_without_the_password(
        self, app: Flask, client: FlaskClient
    ) -> None:
        spoofed = {"X-Forwarded-For": "8.8.8.8", "X-Real-IP": "8.8.8.8", "Forwarded": "for=8.8.8.8"}
        data = {"username": "<script>alert(1)</script>", "password": CANARY}
        client.post("/admin/x?a=1", data=data, headers=spoofed, environ_base=STRANGER)
        assert [row.address for row in trapped(app)] == ["9.9.9.9"]
        with app.app_context():
            kept = db.session.scalars(select(TrapAttempt)).one()
            assert kept.path == "/admin/x?a=1"
            assert kept.password == "18 characters: letters, digits, others"
            assert CANARY not in str(vars(kept))


class TestShutOut:
    def test_a_shut_out_address_gets_429_and_the_same_decoy(self, app: Flask, client: FlaskClient) -> None:
        before = client.post("/admin/", data={"username": "root", "password": CANARY}, environ_base=STRANGER)
        knock(client, 9)
        assert client.get("/login", environ_base=STRANGER).status_code == 429
        answer = client.post("/v0/api/users/auth/login/", environ_base=STRANGER)
        assert (answer.status_code, answer.mimetype) == (429, "application/problem+json")
        after = client.post("/admin/", data={"username": "root", "password": CANARY}, environ_base=STRANGER)
        assert (after.status_code, after.get_data()) == (200, before.get_data())
        assert trapped(app)[0].tries == 10  # nothing is written any more

    def test_it_is_asked_before_the_tokens_of_forms(self, app: Flask, client: FlaskClient) -> None:
        app.config["WTF_CSRF_ENABLED"] = True
        knock(client, 10)
        assert client.post("/login", environ_base=STRANGER).status_code == 429

    @pytest.mark.parametrize("path", ["/static/css/app.css", "/v0/api/system/health/", "/alive"])
    def test_files_and_health_are_for_everybody(self, app: Flask, client: FlaskClient, path: str) -> None:
        knock(client, 10)
        assert client.get(path, environ_base=STRANGER).status_code != 429

    def test_others_are_not_touched(self, app: Flask, client: FlaskClient, owner: User) -> None:
        knock(client, 10)
        assert client.get("/login", environ_base={"REMOTE_ADDR": "9.9.9.10"}).status_code == 200
        forged = {"X-Forwarded-For": "9.9.9.9"}
        assert (
            client.get("/login", headers=forged, environ_base={"REMOTE_ADDR": "8.8.4.4"}).status_code == 200
        )

    def test_whoever_is_signed_in_goes_on(self, app: Flask, client: FlaskClient, owner: User) -> None:
        person = sign_in(app, owner)
        knock(client, 10)
        assert person.get("/audit", headers=HTML, environ_base=STRANGER).status_code == 200
        forged = app.test_client()
        forged.set_cookie("session", "eyJfdXNlcl9pZCI6IjEifQ.aaaa.bbbb")
        assert forged.get("/audit", headers=HTML, environ_base=STRANGER).status_code == 429

    def test_a_shut_out_request_costs_no_query(self, app: Flask, client: FlaskClient) -> None:
        knock(client, 10)
        client.get("/login", environ_base=STRANGER)
        with QueryCount(app) as queries:
            for path in ("/login", "/admin/", "/", "/nothing"):
                client.get(path, environ_base=STRANGER)
        assert len(queries) == 0


class TestLog:
    @pytest.mark.parametrize(
        ("role", "status"), [("super_admin", 200), ("developer", 200), ("admin", 403), ("visitor", 403)]
    )
    def test_it_is_for_super_admins_and_developers(
        self, app: Flask, people: dict[str, User], role: str, status: int
    ) -> None:
        knock(app.test_client())
        client = sign_in(app, people[role])
        for path in ("", "/1", "/news?after=0"):
            assert client.get(f"/developer/honeypot{path}", headers=HTML).status_code == status
        for path in ("/1/block", "/1/unblock", "/1/ours", "/1/not-ours", "/export"):
            answer = client.post(f"/developer/honeypot{path}", headers=HTML)
            assert answer.status_code in ({200, 303} if status == 200 else {403})

    def test_what_they_typed_is_text(self, app: Flask, signed_in: FlaskClient) -> None:
        with app.app_context():
            attempt = Attempt(
                "9.9.9.9", "POST", "/admin/", '<img src=x onerror="x">', CANARY, "http://evil.example"
            )
            honeypot.note(attempt)
        page = signed_in.get("/developer/honeypot/1", headers=HTMX).text
        assert "&lt;img src=x" in page and "<img" not in page
        assert 'href="http' not in page
        assert CANARY not in page

    @pytest.mark.each_database
    def test_an_address_can_be_blocked_let_in_and_marked(self, app: Flask, signed_in: FlaskClient) -> None:
        knock(app.test_client(), 10)
        page = signed_in.get("/developer/honeypot", headers=HTML).text
        assert "9.9.9.9" in page and "Blocked until" in page and "1 blocked now" in page
        signed_in.post("/developer/honeypot/1/block", headers=HTML)
        assert "Blocked for good" in signed_in.get("/developer/honeypot", headers=HTML).text
        signed_in.post("/developer/honeypot/1/unblock", headers=HTML)
        assert app.test_client().get("/login", environ_base=STRANGER).status_code == 200
        signed_in.post("/developer/honeypot/1/ours", headers=HTML)
        assert "9.9.9.9" not in re.sub(
            r"toast.*", "", signed_in.get("/developer/honeypot", headers=HTMX).text
        )
        assert "9.9.9.9" in signed_in.get("/developer/honeypot?ours=1", headers=HTML).text
        with app.app_context():
            actions = list(db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))
        assert actions[-3:] == ["honeypot.block", "honeypot.unblock", "honeypot.ours"]

    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    def test_a_page_elsewhere_cannot_have_its_visitors_shut_out(
        self, app: Flask, owner: User, site: str
    ) -> None:
        visitor = app.test_client()
        for _ in range(10):
            typed = {"username": "root", "password": CANARY}
            visitor.post("/admin/", data=typed, environ_base=STRANGER, headers={"Sec-Fetch-Site": site})
        [row] = trapped(app)
        assert (row.hits, row.tries, row.blocked_until_ms) == (10, 0, None)
        assert visitor.get("/login", environ_base=STRANGER).status_code == 200
        for _ in range(10):
            visitor.post("/admin/", environ_base=STRANGER, headers={"Sec-Fetch-Site": "same-origin"})
        assert visitor.get("/login", environ_base=STRANGER).status_code == 429

    def test_our_own_address_is_not_blocked_by_hand(self, app: Flask, signed_in: FlaskClient) -> None:
        app.test_client().get("/admin/")
        answer = signed_in.post("/developer/honeypot/1/block", headers=HTML)
        assert answer.status_code == 409 and "127.0.0.1 is not blocked" in answer.text

    def test_new_ones_are_offered(self, app: Flask, signed_in: FlaskClient) -> None:
        empty = signed_in.get("/developer/honeypot", headers=HTML).text
        assert "Nobody has touched the trap" in empty
        knock(app.test_client())
        assert "1 new" in signed_in.get("/developer/honeypot/news?after=0&shown=0", headers=HTMX).text
        assert signed_in.get("/developer/honeypot/news?after=0&shown=1", headers=HTMX).status_code == 204

    def test_the_export_has_no_formulas(self, app: Flask, signed_in: FlaskClient) -> None:
        with app.app_context():
            honeypot.note(Attempt("9.9.9.9", "POST", "/admin/", "=cmd|' /C calc'!A0", CANARY, "@SUM(1)"))
        answer = signed_in.post("/developer/honeypot/export")
        rows = list(csv.reader(io.StringIO(answer.get_data().decode("utf-8-sig"))))
        assert (rows[1][0], rows[1][10], rows[1][12]) == ("9.9.9.9", "'=cmd|' /C calc'!A0", "'@SUM(1)")

    def test_the_number_of_queries_is_constant(self, app: Flask, signed_in: FlaskClient) -> None:
        def fill(numbers: range) -> None:
            with app.app_context():
                for number in numbers:
                    honeypot.note(Attempt(f"9.9.8.{number}", "POST", "/admin/"))

        fill(range(1, 3))
        signed_in.get("/developer/honeypot", headers=HTML)
        with QueryCount(app) as few:
            signed_in.get("/developer/honeypot", headers=HTML)
        fill(range(3, 40))
        with QueryCount(app) as many:
            signed_in.get("/developer/honeypot", headers=HTML)
        assert len(few) == len(many) <= 8


class TestDashboard:
    def cards(self, page: str) -> set[str]:
        return set(re.findall(r'id="card-(\w+)"', page))

    @pytest.mark.each_database
    def test_administrators_see_the_cards_of_their_role(self, app: Flask, people: dict[str, User]) -> None:
        add_camera(app)
        everything = {"health", "cameras", "users", "jobs", "mail", "honeypot", "audit"}
        page = sign_in(app, people["super_admin"]).get("/admin/", headers=HTML).text
        assert self.cards(page) == everything
        assert "1 of 1" in page and "Does not answer" in page  # no capture worker runs in this test
        assert 'href="/developer/honeypot"' in page
        page = sign_in(app, people["admin"]).get("/admin/", headers=HTML).text
        assert self.cards(page) == everything - {"honeypot"}
        assert 'href="/developer/honeypot"' not in page and 'href="/rq/"' not in page

    def test_it_refreshes_itself_as_a_fragment(self, app: Flask, people: dict[str, User]) -> None:
        page = sign_in(app, people["admin"]).get("/admin/", headers=HTMX).text
        assert page.lstrip().startswith('<div id="cards"')

    def test_a_part_that_is_away_costs_its_card_only(
        self, app: Flask, people: dict[str, User], redis_server: RedisServer
    ) -> None:
        client = sign_in(app, people["admin"])
        client.get("/admin/", headers=HTML)
        app.extensions.pop("cctv.redis", None)
        app.config["REDIS_URL"] = "unix:///nowhere/redis.sock"
        page = client.get("/admin/", headers=HTML).text
        assert re.search(r"No figures since \d\d:\d\d \(Redis does not answer\)", page)
        assert "card-users" in page and "Here now" in page

    def test_deeper_addresses_do_not_exist_for_administrators(
        self, app: Flask, people: dict[str, User]
    ) -> None:
        client = sign_in(app, people["admin"])
        assert client.get("/admin/config.php", headers=HTML).status_code == 404
        assert client.get("/admin", headers=HTML).status_code in {303, 308}
        assert trapped(app) == []
