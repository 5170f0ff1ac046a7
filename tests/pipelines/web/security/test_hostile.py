"""Hostile names and values in every place of every address and form: nothing breaks, all is inert."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from pipelines.stores.directory import DirectoryStore
from pipelines.web.app import ROUTES
from pipelines.web.view import ActionRoute, PageRoute
from tests.data.histories import History, Picture
from tests.pipelines.web.security.running import Served, serving

MARK = "zq9x"
HOSTILE = {
    "html": f"<script>{MARK}()</script>",
    "attribute": f'" onmouseover="{MARK}()',
    "quote": f"'{MARK}",
    "template": "{{ 7 * 7 }}{% raw %}",
    "sql": "' OR 1=1 --",
    "path": "..%2f..%2f..%2fetc%2fpasswd",
    "dots": "...",
    "percent": "%25%00%2e",
    "digits": "9" * 400,
    "negative": "-1",
    "not a number": "NaN",
    "long": "a" * 1500,
    "direction": "a\u202eb",
    "other script": "機械学習",
    "half": "a\ud800b".encode("utf-8", "surrogatepass").decode("latin-1"),
    "line": "a\nb",
    "header": "a\r\nset-cookie: x=y",
    "empty": "",
}
QUERIES = ("name", "outcome", "before", "after", "what", "run", "q", "start", "x", "sort", "depth")


@pytest.fixture(autouse=True)
def home() -> None:
    """That of the server, which all tests here ask, stays where it is."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A store with some runs."""
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder / "home"))
        store = DirectoryStore(folder / "store", durable=False)
        history = History(store)
        for seed in range(3):
            history.run([Picture(f"p/{n}.png", "p", n) for n in range(6)], seed=seed)
        with serving(store) as served:
            yield served


def filled(path: str, value: str) -> str:
    """Put a value in the place of every parameter of a route."""
    return re.sub(r"\{[^}]+\}", lambda _: quote(value, safe=""), path)


def each_with_some(things: list[Any]) -> list[Any]:
    """Pair each with the third of what is hostile that the next has not; with all when slow."""
    return [
        pytest.param(
            thing, name, marks=[] if (number + place) % 3 == 0 else pytest.mark.slow,
            id=f"{getattr(thing, 'path', thing)}-{name}",
        )
        for number, thing in enumerate(things)
        for place, name in enumerate(HOSTILE)
    ]  # fmt: skip


PAGES = [route.path for route in ROUTES if isinstance(route, PageRoute)]


@pytest.mark.parametrize(("path", "name"), each_with_some(PAGES))
def test_no_page_breaks_or_repeats_what_is_hostile(served: Served, path: str, name: str) -> None:
    value = HOSTILE[name]
    browser = served.browser()
    before = len(served.said)
    query = "&".join(f"{key}={quote(value, safe='')}" for key in QUERIES)
    for address in {filled(path, value), f"{filled(path, 'x')}?{query}"}:
        answer = browser.get(address)
        assert answer.status in (200, 303, 400, 404, 409, 414), (
            address,
            answer.status,
            answer.text,
        )
        assert f"<script>{MARK}" not in answer.text
        assert f'" onmouseover="{MARK}' not in answer.text
        assert "The store is being looked at" not in answer.text
        assert "set-cookie" not in answer.headers
        assert "root:" not in answer.text
    assert not [line for line in served.said[before:] if line.startswith("bug ")]


ACTIONS = [route for route in ROUTES if isinstance(route, ActionRoute)]


@pytest.mark.parametrize(("route", "name"), each_with_some(ACTIONS))
def test_no_action_breaks(served: Served, route: ActionRoute, name: str) -> None:
    value = HOSTILE[name]
    browser = served.browser()
    csrf = browser.csrf()
    before = len(served.said)
    fields = {"csrf": csrf, **dict.fromkeys(route.fields, value)}
    answer = browser.post(filled(route.path, value or "x"), fields)
    assert answer.status in (303, 400, 403, 404, 405, 409, 414), (answer.status, answer.text)
    assert f"<script>{MARK}" not in answer.text
    assert not [line for line in served.said[before:] if line.startswith("bug ")]
