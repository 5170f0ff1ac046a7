"""What is told of requests that went wrong: to the owner all, to the browser no more than a number."""

from __future__ import annotations

import re

import pytest

from pipelines.stores.directory import DirectoryStore
from pipelines.web import app as application
from pipelines.web.pages.runs import runs
from pipelines.web.security.faults import LINES, PERIOD_S, Faults
from pipelines.web.security.forms import RefusedFormError, pairs_of, read_form
from pipelines.web.security.headers import POLICY
from pipelines.web.view import PageRoute, View
from tests.pipelines.web.security.running import serving


def broken(view: View) -> object:
    raise ZeroDivisionError(f"a secret of {view.viewer.name}")


def test_a_fault_of_our_own_is_a_page_with_a_number_and_a_traceback_elsewhere(
    store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    route = PageRoute("/broken", broken)  # pyright: ignore[reportArgumentType] it answers nothing
    monkeypatch.setattr(application, "ROUTES", (route,))
    with serving(store) as served:
        answer = served.browser().get("/broken")
        assert answer.status == 500
        found = re.search(r"this is a bug of slimline, number ([0-9a-f]{8})", answer.text)
        assert found
        assert "ZeroDivisionError" not in answer.text
        assert "secret" not in answer.text
        assert "etag" not in answer.headers
        (told,) = [line for line in served.said if line.startswith(f"bug {found[1]}: ")]
        assert "ZeroDivisionError: a secret of" in told
        assert "test_faults.py" in told
        assert served.service.health().bugs == 1


def test_a_fault_of_a_guard_is_told_too(
    store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(store) as served:
        browser = served.browser()
        monkeypatch.setattr(application, "_tag", broken)
        answer = browser.get("/runs")
        assert answer.status == 500
        assert answer.text.startswith("this is a bug of slimline, number ")
        assert any(line.startswith("bug ") and "Traceback" in line for line in served.said)
        assert browser.get("/alive").status == 200


def test_a_store_that_cannot_be_read_is_no_bug(
    store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> object:
        raise OSError(28, "No space left on device", "/x")

    monkeypatch.setattr(runs, "rows_of", full)
    with serving(store) as served:
        answer = served.browser().get("/runs")
        assert answer.status == 409
        assert served.service.health().bugs == 0


def test_of_very_many_refused_requests_the_first_are_written_and_then_their_number() -> None:
    said: list[str] = []
    now = 0.0
    faults = Faults(said.append, clock=lambda: now)
    for _ in range(10 * LINES):
        faults.refusal("403 GET /")
    assert said == ["refused: 403 GET /"] * LINES
    now = PERIOD_S + 1
    faults.refusal("403 GET /runs")
    more, latest = said[LINES:]
    assert more == f"refused: {9 * LINES} requests more, of which no lines were written"
    assert latest == "refused: 403 GET /runs"
    assert faults.refused == 10 * LINES + 1


def test_a_line_about_a_request_is_one_line(store: DirectoryStore) -> None:
    with serving(store) as served:
        served.ask("/a%0d%0arefused:%20none%1b[2J")
        (line,) = served.said
        path = r"/a\r\nrefused: none\x1b[2J"
        assert line == f"refused: 400 GET {path} from 127.0.0.1: no page has such an address"


@pytest.mark.parametrize(
    "path", ["/", "/runs", "/nothing", "/alive", "//", "/enter", "/static/x/y"]
)
def test_every_answer_forbids_frames_guesses_and_what_is_loaded_from_elsewhere(
    store: DirectoryStore, path: str
) -> None:
    with serving(store) as served:
        for answer in (served.ask(path), served.browser().get(path)):
            assert answer.headers["content-security-policy"] == POLICY
            assert answer.headers["x-frame-options"] == "DENY"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "access-control-allow-origin" not in answer.headers
            assert "server" not in answer.headers
    assert "frame-ancestors 'none'" in POLICY
    assert "default-src 'none'" in POLICY
    assert "unsafe" not in POLICY


FORMS = {
    "another kind": (b"csrf=c&name=a", "text/plain"),
    "no kind": (b"csrf=c&name=a", ""),
    "twice": (b"csrf=c&name=a&name=b", None),
    "the token twice": (b"csrf=c&csrf=c&name=a", None),
    "one more": (b"csrf=c&name=a&other=b", None),
    "one missing": (b"csrf=c", None),
    "no pairs": (b"csrf", None),
    "no text": (b"csrf=c&name=%ff", None),
    "raw bytes": (b"csrf=c&name=\xff", None),
    "a NUL": (b"csrf=c&name=a%00b", None),
    "an escape": (b"csrf=c&name=a%1b[2J", None),
    "very many": (b"csrf=c&" + b"&".join(b"n%d=" % n for n in range(99)), None),
    "no token": (b"name=a", None),
    "another token": (b"csrf=d&name=a", None),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_just_what_it_should_be(form: str) -> None:
    body, kind = FORMS[form]
    sent = "application/x-www-form-urlencoded" if kind is None else kind
    scope = {"headers": [(b"content-type", sent.encode())]}
    with pytest.raises(RefusedFormError):
        read_form(pairs_of(scope, body), ("c",), ("name",))


def test_a_form_may_hold_lines_and_any_script() -> None:
    scope = {"headers": [(b"content-type", b"application/x-www-form-urlencoded; charset=utf-8")]}
    body = b"csrf=c&name=%E6%A9%9F%0D%0A%F0%9F%98%80+x"
    assert read_form(pairs_of(scope, body), ("b", "c"), ("name",)) == {"name": "機\r\n😀 x"}
