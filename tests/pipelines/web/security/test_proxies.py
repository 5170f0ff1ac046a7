"""A proxy that says who asks: only it is believed, and only where it says it once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.stores.directory import DirectoryStore
from pipelines.web.security.proxies import WINDOW_S, ProxyWay
from pipelines.web.security.sessions import RefusedError
from pipelines.web.settings import ProxyAuth, ServeSettings
from tests.pipelines.web.security.running import Browser, Served, serving

WHO = "kubeflow-userid"
TOKEN = "t" * 40


@pytest.fixture
def served(store: DirectoryStore, tmp_path: Path) -> Iterator[Served]:
    """Its proxy runs on this machine."""
    tokens = tmp_path / "tokens.txt"
    tokens.write_text(f"read prometheus {TOKEN}\n")
    tokens.chmod(0o600)
    auth = ProxyAuth(
        kind="proxy", addresses=("127.0.0.1/32",), tokens=tokens,
        roles={"read": ("*",), "promote": ("anna@x.org",)},
    )  # fmt: skip
    with serving(store, ServeSettings(store=store.uri, auth=auth)) as served:
        yield served


def test_who_asks_is_who_the_proxy_says(served: Served) -> None:
    anna, rita = (Browser(served, {WHO: name}) for name in ("anna@x.org", "rita@x.org"))
    assert "anna@x.org, promote" in anna.get("/runs").text
    assert "rita@x.org, read" in rita.get("/runs").text
    assert anna.act().status == 303
    assert rita.act().status == 403


@pytest.mark.parametrize("given", [["anna@x.org", "anna@x.org"], "", " ", "a\x7fb", "a" * 201])
def test_a_header_that_says_nothing_clear_is_refused(
    served: Served, given: str | list[str]
) -> None:
    assert served.ask("/runs", {WHO: given}).status == 403


def test_without_the_header_nobody_asks(served: Served) -> None:
    assert served.ask("/runs").status == 401
    for other in ("x-forwarded-user", "kubeflow_userid", "x-kubeflow-userid"):
        assert served.ask("/runs", {other: "anna@x.org"}).status == 401


def test_a_form_made_for_one_person_is_not_taken_from_another(served: Served) -> None:
    """There is no session: what a form sends along is made of who asks."""
    anna, rita = (Browser(served, {WHO: name}) for name in ("anna@x.org", "rita@x.org"))
    assert anna.post("/wake", {"csrf": rita.csrf()}).status == 403
    assert anna.post("/wake", {"csrf": ""}).status == 403


def test_a_program_that_does_not_come_through_the_proxy_has_a_token(served: Served) -> None:
    assert served.ask("/runs", {"authorization": f"Bearer {TOKEN}"}).status == 200
    assert served.ask("/runs", {"authorization": "Bearer x"}).status == 401
    assert served.ask("/enter", {"accept": "text/html"}).status == 403


def test_a_token_that_the_proxy_itself_passes_on_is_nobody_s_here(served: Served) -> None:
    """Kubeflow's gateway sends along what it was shown, beside the header that says who asks."""
    for passed_on in ("eyJhbGciOiJSUzI1NiJ9.e30.c2VhbA", TOKEN):
        anna = Browser(served, {WHO: "anna@x.org", "authorization": f"Bearer {passed_on}"})
        assert "anna@x.org, promote" in anna.get("/runs").text
        assert anna.post("/wake", {"csrf": ""}).status == 403, "forms are checked as ever"
        assert anna.act().status == 303


def way(*addresses: str, now: float = 0.0) -> ProxyWay:
    auth = ProxyAuth(kind="proxy", addresses=addresses, roles={"read": ("*",)})
    return ProxyWay(auth, "k" * 32, clock=lambda: now)


def scope(client: str, **headers: str) -> dict[str, Any]:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"client": (client, 5), "headers": [(WHO.encode(), b"anna"), *pairs]}


@pytest.mark.parametrize(
    ("client", "believed"),
    [
        ("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("fd00::1", True), ("11.0.0.1", False),
        ("::ffff:11.0.0.1", False), ("fd01::1", False), ("127.0.0.1", False), ("", False),
    ],
)  # fmt: skip
def test_only_the_other_end_of_the_connection_counts(client: str, *, believed: bool) -> None:
    proxy = way("10.0.0.0/8", "fd00::/16")
    asked = scope(client, x_forwarded_for="10.1.2.3", forwarded="for=10.1.2.3")
    if believed:
        assert proxy.session(asked).viewer.name == "anna"
    else:
        with pytest.raises(RefusedError):
            proxy.session(asked)


def test_a_form_is_taken_for_half_a_day_and_by_every_service_with_the_key() -> None:
    asked = scope("10.0.0.1")
    made = way("10.0.0.0/8").session(asked).csrf
    assert made
    for later, taken in ((WINDOW_S - 1, True), (2 * WINDOW_S - 1, True), (2 * WINDOW_S, False)):
        known = way("10.0.0.0/8", now=later).session(asked).csrf
        assert known
        assert (made[0] in known) == taken
