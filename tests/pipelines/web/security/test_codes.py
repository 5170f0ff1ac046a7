"""The link with a code: used once, by one browser, and what is remembered of browsers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipelines.stores.directory import DirectoryStore
from pipelines.web.security.codes import AGE_S, SESSIONS, CodeWay
from pipelines.web.security.sessions import RefusedError
from pipelines.web.settings import ServeSettings
from tests.pipelines.web.security.running import Browser, Served, serving


@pytest.fixture
def served(store: DirectoryStore) -> Iterator[Served]:
    with serving(store) as served:
        yield served


def code_of(served: Served) -> str:
    assert isinstance(served.way, CodeWay)
    return f"/enter?code={served.way.new_code()}"


def test_a_code_is_used_once(served: Served) -> None:
    link = code_of(served)
    first, second = Browser(served), Browser(served)
    assert first.get(link).status == 303
    assert first.get("/runs").status == 200
    assert second.get(link).status == 403
    assert second.get("/runs").status == 401
    again = first.get(link)
    assert (again.status, again.headers["location"]) == (303, "/"), (
        "the same browser, the same link"
    )


def test_a_new_code_ends_the_one_before(served: Served) -> None:
    before, after = code_of(served), code_of(served)
    assert Browser(served).get(before).status == 403
    assert Browser(served).get(after).status == 303


def test_what_looks_at_links_before_people_do_does_not_use_them_up(served: Served) -> None:
    link = code_of(served)
    assert served.ask(link, method="HEAD").status == 403
    assert served.ask(link, {"sec-purpose": "prefetch"}).status == 403
    assert Browser(served).get(link).status == 303


def test_a_guessed_code_or_cookie_opens_nothing(served: Served) -> None:
    link = code_of(served)
    assert Browser(served).get("/enter?code=").status == 403
    assert Browser(served).get("/enter").status == 403
    assert Browser(served).get(link[:-1]).status == 403
    guessed = Browser(served, cookies={f"slimline-{served.port}": "A" * 43})
    assert guessed.get("/runs").status == 401


def test_a_cookie_that_was_set_before_signs_nobody_in(served: Served) -> None:
    """Session fixation: who enters gets another cookie, whatever they brought along."""
    browser = Browser(served, cookies={f"slimline-{served.port}": "known-to-others"})
    assert browser.get(code_of(served)).status == 303
    assert browser.cookies[f"slimline-{served.port}"] != "known-to-others"


def test_a_cookie_that_a_neighbour_has_set_beside_ours_does_not_count(served: Served) -> None:
    """Cookie tossing: of two with one name nobody knows which is whose."""
    browser = served.browser()
    name, value = next(iter(browser.cookies.items()))
    assert served.ask("/runs", {"cookie": f"{name}=theirs; {name}={value}"}).status == 401
    assert served.ask("/runs", {"cookie": f"{name}={value}; other=1"}).status == 200


def test_browsers_are_forgotten_by_number_and_by_age(store: DirectoryStore) -> None:
    now = 0.0
    way = CodeWay("anna", "slimline", https=False, clock=lambda: now)

    def cookie() -> str:
        scope = {"method": "GET", "headers": [], "query_string": f"code={way.new_code()}".encode()}
        return way.enter(scope, {}).headers["set-cookie"].partition(";")[0]

    def knows(one: str) -> bool:
        try:
            way.session({"headers": [(b"cookie", one.encode())]})
        except RefusedError:
            return False
        return True

    cookies = [cookie() for _ in range(SESSIONS + 1)]
    assert [knows(one) for one in cookies] == [False] + [True] * SESSIONS
    now = AGE_S + 1.0
    assert not any(knows(one) for one in cookies)


def test_who_signs_out_is_signed_out(served: Served) -> None:
    browser = served.browser()
    before = dict(browser.cookies)
    assert browser.post("/leave", {"csrf": "x"}).status == 403
    assert browser.act("/leave").status == 200
    assert not browser.cookies
    browser.cookies = before
    assert browser.get("/runs").status == 401, "also with the cookie from before"


def test_cookies_are_kept_from_scripts_other_sites_and_plain_connections(
    store: DirectoryStore,
) -> None:
    with serving(store) as served:
        plain = Browser(served).get(code_of(served)).headers["set-cookie"].lower()
    with serving(store, ServeSettings(store=store.uri, https=True)) as served:
        secure = Browser(served).get(code_of(served)).headers["set-cookie"].lower()
    assert "httponly" in plain
    assert "samesite=strict" in plain
    assert "; secure" not in plain
    assert secure.startswith("__host-slimline=")
    assert "; secure" in secure
    assert "path=/" in secure
    assert "domain" not in secure


def test_behind_https_a_form_from_a_plain_page_is_another_site_s(store: DirectoryStore) -> None:
    with serving(store, ServeSettings(store=store.uri, https=True)) as served:
        browser = served.browser()
        fields = {"csrf": browser.csrf()}
        assert browser.post("/wake", fields).status == 403
        assert browser.post("/wake", fields, origin=f"https://{served.host}").status == 303


def test_a_link_on_another_site_asks_again_by_itself(served: Served) -> None:
    """Its first request comes without the cookie: see SameSite=Strict."""
    answer = served.ask("/runs?name=%22x", {"accept": "text/html", "sec-fetch-site": "cross-site"})
    assert answer.status == 401
    assert '<meta http-equiv="refresh" content="0; url=/runs?name=%22x">' in answer.text
    answer = served.ask("/runs", {"accept": "text/html", "sec-fetch-site": "same-origin"})
    assert "refresh" not in answer.text


def test_what_an_action_did_is_said_once_and_by_this_server_alone(served: Served) -> None:
    browser = served.browser()
    assert browser.act().status == 303
    assert "Triggers are being evaluated." in browser.get("/runs").text
    assert "Triggers are being evaluated." not in browser.get("/runs").text
    tossed = {"slimline-said-8080": "VHlwZSB5b3VyIHBhc3N3b3Jk.0000"}
    browser.cookies |= tossed
    assert "Type your password" not in browser.get("/runs").text
