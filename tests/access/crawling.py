"""Walks the pages of one person: every link, picture, fragment and button that is rendered.

Knows nothing of who may what: it only tells what was answered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urljoin, urlsplit

from tests.access.asking import Answer

_GET = ("href", "src", "poster", "hx-get", "data-live")
_CHANGES = {
    "hx-post": "POST",
    "hx-put": "PUT",
    "hx-patch": "PATCH",
    "hx-delete": "DELETE",
    "formaction": "POST",
}
_MOST = 600
_ALIKE = 4  # of addresses that differ in a number alone, so many are walked: the pages of people are many
_NUMBER = re.compile(r"/(\d+)(?=/|$)")
# Two addresses that differ only in these show the same page at another time.
_TIMES = {"t", "day", "from", "to", "z", "v", "m", "month", "next", "speed"}
Opens = Callable[[str, str, bool], Answer]  # (verb, address, whether HTMX asks) -> answer


@dataclass(frozen=True)
class Seen:
    """One address that was rendered, and what it answers."""

    page: str  # it was rendered on
    method: str
    address: str
    answer: Answer


class _Links(HTMLParser):
    """(verb, address, whether HTMX asks) of everything on a page that can be pressed or is loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str, bool]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attributes if value}
        for name in _GET:
            if name in given and tag != "use":
                self.found.append(("GET", given[name], name == "hx-get"))
        for name, verb in _CHANGES.items():
            if name in given:
                self.found.append((verb, given[name], name != "formaction"))
        if tag == "form" and given.get("action"):
            self.found.append((given.get("method", "get").upper(), given["action"], False))


def crawl(opens: Opens, starts: list[str]) -> Iterator[Seen]:
    """Everything that can be reached from these pages, each address once."""
    todo = [("start", "GET", address, False) for address in starts]
    done: set[object] = set()
    ids: dict[object, set[tuple[str, ...]]] = {}
    while todo:
        page, method, address, is_htmx = todo.pop(0)
        key = (method, is_htmx, *_kind(address))
        if key in done:
            continue
        path = urlsplit(address).path
        numbers = ids.setdefault((method, is_htmx, _NUMBER.sub("/N", path)), set())
        numbers.add(tuple(_NUMBER.findall(path)))
        if len(numbers) > _ALIKE:
            continue
        done.add(key)
        assert len(done) < _MOST, f"more than {_MOST} addresses: {page} -> {address}"
        answer = opens(method, address, is_htmx)
        yield Seen(page, method, address, answer)
        is_page = answer.status == 200 and "html" in answer.headers.get("Content-Type", "")
        # The dashboard of RQ is not ours: its buttons look like links, and a script sends them as POST.
        if method == "GET" and is_page and not address.startswith("/rq/"):
            links = _Links()
            links.feed(answer.text)
            todo += [
                (address, verb, urljoin(address, target), by_htmx)
                for verb, target, by_htmx in links.found
                if _is_ours(target)
            ]
        elif method == "GET" and answer.location:
            todo.append((address, "GET", answer.location, False))


def _is_ours(target: str) -> bool:
    parts = urlsplit(target)
    is_page = not parts.scheme and not parts.netloc and bool(parts.path or parts.query)
    # Number 0 is nobody's: such an address is a pattern, which a script fills in.
    is_pattern = re.search(r"/0(/|$)|=0$", target) is not None
    return is_page and not is_pattern and not re.match(r"/static/|/stream/", parts.path)


def _kind(address: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    parts = urlsplit(address)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name not in _TIMES]
    return parts.path, tuple(sorted(query))
