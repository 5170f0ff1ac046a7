"""Attacks from other sites and by people who may not: each refused, by one guard that it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines.stores.directory import DirectoryStore
from pipelines.web import app as application
from pipelines.web.security import forms, limits, paths, sessions
from pipelines.web.security.codes import CodeWay
from pipelines.web.security.hosts import HostGuard
from pipelines.web.security.proxies import ProxyWay
from pipelines.web.security.viewer import Viewer
from pipelines.web.settings import ProxyAuth, ServeSettings, TokenAuth
from tests.pipelines.web.security.running import Browser, Served, serving

READER, RUNNER = "r" * 40, "u" * 40
TOKENS = f"read rita {READER}\nrun rolf {RUNNER}\n"


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens.txt"
    path.write_text(TOKENS)
    path.chmod(0o600)
    return path


@pytest.fixture
def by_code(store: DirectoryStore) -> Iterator[Served]:
    with serving(store) as served:
        yield served


@pytest.fixture
def by_token(store: DirectoryStore, token_file: Path) -> Iterator[Served]:
    auth = TokenAuth(kind="token", file=token_file)
    with serving(store, ServeSettings(store=store.uri, auth=auth)) as served:
        yield served


@pytest.fixture
def by_proxy(store: DirectoryStore) -> Iterator[Served]:
    auth = ProxyAuth(kind="proxy", addresses=("10.0.0.0/8",), roles={"promote": ("anna@x.org",)})
    with serving(store, ServeSettings(store=store.uri, auth=auth)) as served:
        yield served


# what gets through says so ------------------------------------------------------------------------


def rebinding(served: Served) -> bool:
    """A page of evil.example whose name now leads here reads what this server shows."""
    browser = served.browser()
    return browser.get("/runs", host=f"evil.example:{served.port}").status == 200


def without_token(served: Served) -> bool:
    """A form of this origin, but of no page that this server made."""
    return served.browser().post("/wake", {"csrf": "x" * 43}).status == 303


def other_origin(served: Served) -> bool:
    """A form of another site that has got hold of the token."""
    browser = served.browser()
    fields = {"csrf": browser.csrf()}
    answers = [
        browser.post("/wake", fields, origin=origin)
        for origin in ("https://evil.example", "null", "", f"http://127.0.0.1:{served.port + 1}",
                       f"http://{served.host}.evil.example", f"http://x@{served.host}")
    ]  # fmt: skip
    return any(answer.status == 303 for answer in answers)


def other_site(served: Served) -> bool:
    """The same, where only the browser's own word tells it."""
    browser = served.browser()
    return (
        browser.post("/wake", {"csrf": browser.csrf()}, sec_fetch_site="cross-site").status == 303
    )


def reader_acts(served: Served) -> bool:
    """Who may only read does something, as a program does it."""
    sent = {"authorization": f"Bearer {READER}"}
    return served.ask("/wake", sent, method="POST").status == 303


def signs_others_in(served: Served) -> bool:
    """Another site signs a person in as somebody else, who then sees what they do."""
    fields = {"token": RUNNER, "to": "/"}
    return Browser(served).post("/enter", fields, origin="https://evil.example").status == 303


def large_body(served: Served) -> bool:
    """A form of half a megabyte."""
    browser = served.browser()
    return browser.act(padding="x" * 500_000).status != 413


def odd_path(served: Served) -> bool:
    """Paths that servers read differently."""
    browser = served.browser()
    odd = ("//evil.example/runs", "/runs/%2e%2e/runs", "/./runs", "/runs%00", "/%5cevil", "/runs//")
    return any(browser.get(path).status != 400 for path in odd)


def spoofed(served: Served) -> bool:
    """Somebody who is not the proxy says who they are."""
    return served.ask("/runs", {"kubeflow-userid": "anna@x.org"}).status == 200


def stranger(served: Served) -> bool:
    """Nobody who has signed in."""
    return Browser(served).get("/runs").status == 200


Attack = Callable[[Served], bool]
Removal = Callable[[pytest.MonkeyPatch], None]


def _set(owner: object, name: str, value: object) -> Removal:
    def remove(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(owner, name, value)

    return remove


def _yes(*_: object) -> bool:
    return True


def _nothing(*_: object, **__: object) -> None:
    pass


def _origin(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (application, sessions):
        monkeypatch.setattr(module, "check_origin", _nothing)


def _session(monkeypatch: pytest.MonkeyPatch) -> None:
    def anybody(*_: object) -> sessions.Session:
        return sessions.Session(Viewer("anybody", "read"), ("x",))

    monkeypatch.setattr(CodeWay, "session", anybody)


CASES: dict[str, tuple[str, Attack, Removal]] = {
    "Host": ("by_code", rebinding, _set(HostGuard, "_knows", _yes)),
    "CSRF": ("by_code", without_token, _set(forms, "_are_equal", _yes)),
    "Origin": ("by_code", other_origin, _origin),
    "Sec-Fetch-Site": ("by_code", other_site, _origin),
    "role": ("by_token", reader_acts, _set(application, "_check_role", _nothing)),
    "Origin of sign-in": ("by_token", signs_others_in, _origin),
    "body": ("by_code", large_body, _set(limits, "BODY_BYTES", 1 << 30)),
    "path": ("by_code", odd_path, _set(paths, "_ODD", paths.re.compile("(?!)"))),
    "proxy": ("by_proxy", spoofed, _set(ProxyWay, "_is_proxy", _yes)),
    "session": ("by_code", stranger, _session),
}


@pytest.mark.parametrize("guard", CASES)
def test_an_attack_is_refused(guard: str, request: pytest.FixtureRequest) -> None:
    way, attack, _ = CASES[guard]
    served: Served = request.getfixturevalue(way)
    assert not attack(served)
    assert any(line.startswith("refused: ") for line in served.said)


@pytest.mark.parametrize("guard", CASES)
def test_without_its_guard_it_gets_through(
    guard: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutation: where it is removed, the test above turns red."""
    way, attack, remove = CASES[guard]
    served: Served = request.getfixturevalue(way)
    remove(monkeypatch)
    assert attack(served)


def test_who_is_no_attacker_gets_through(by_code: Served) -> None:
    browser = by_code.browser()
    assert browser.get("/runs").status == 200
    assert browser.get("/runs", host=f"localhost:{by_code.port}").status == 200
    assert browser.act().status == 303


def test_a_server_for_reading_has_nothing_that_changes_something(store: DirectoryStore) -> None:
    with serving(store, ServeSettings(store=store.uri, read_only=True)) as served:
        browser = served.browser()
        for route in application.ROUTES:
            if isinstance(route, application.ActionRoute):
                path = route.path.replace("{", "").replace("}", "")
                assert browser.post(path, {"csrf": browser.csrf()}).status in (404, 405), path
