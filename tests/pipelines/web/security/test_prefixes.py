"""A server whose addresses begin with a prefix: nothing of it leads out, nothing else leads in."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from starlette.types import Message

from docs.crawling import router
from pipelines.runs.cache import Cache
from pipelines.stores.directory import DirectoryStore
from pipelines.triggers.settings import ScheduleSettings
from pipelines.web.app import ROUTES
from pipelines.web.security.codes import CodeWay
from pipelines.web.security.prefixes import PageResponse, PrefixGuard
from pipelines.web.settings import CodeAuth, ServeSettings, TokenAuth
from pipelines.web.view import PageRoute
from tests.data.decisions import decision_of, select_outputs
from tests.data.kept_release import Writer, write_data
from tests.pipelines.triggers.worlds import World
from tests.pipelines.web.calling import Answer, App, carried_out
from tests.pipelines.web.security.running import serving

PREFIX = "/ml/slim~line.1"
PAGES = tuple(route.path for route in ROUTES if isinstance(route, PageRoute))
LEADS = ("href", "src", "action", "formaction", "data-hash", "data-log")
ASKED_FOR = ("/find?what=digits", "/lineage/affected?identity=one", "/triggers/t", "/metrics")
"""What a form leads to, or what no page has a link to."""
NOT_HERE = {
    "/data/{one}/against/{other}/images", "/data/{digest}/thumbnails/{number}",
    "/runs/{run}/steps/{step}/log", "/runs/{run}/steps/{step}/log/raw",
}  # fmt: skip
"""What takes images that can be decoded, or steps that have printed something."""


def app_of(store: DirectoryStore, folder: Path, tmp_path: Path) -> App:
    """Runs with releases and decisions, and a trigger, below a prefix."""
    writer = Writer(Cache(store, folder / "scratch"), folder / "written")
    data = write_data(tmp_path / "photos")
    writer.run("digits-1", data, instead=select_outputs(decision_of()))
    (data / "one" / "9.png").write_bytes(b"another")
    writer.run("digits-2", data, instead=select_outputs(decision_of()))
    world = World(store, folder)
    world.trigger(schedule=ScheduleSettings(cron="30 2 * * *", zone="Europe/Berlin"))
    return App(store, ServeSettings(store=store.uri, prefix=PREFIX))


def leading(answer: Answer, names: Sequence[str] = LEADS) -> list[str]:
    """What elements of a page lead to, a redirect included."""
    if answer.status in range(300, 400):
        return [answer.headers["location"]]
    sandboxed = "sandbox" in answer.headers["content-security-policy"]  # what a run has made
    if sandboxed or not answer.headers.get("content-type", "").startswith("text/html"):
        return []
    found = [one.get(name) for one in answer.html.iter() for name in names]
    found += re.findall(r'content="\d+; url=([^"]*)"', answer.text)
    return [link for link in found if link and not link.startswith(("#", "?"))]


def crawled(app: App) -> Mapping[str, Answer]:
    """All that links lead to; three addresses of each route."""
    route_of, seen, counts = router(PAGES), dict[str, Answer](), Counter[str]()
    ahead = deque([f"{PREFIX}/", *(PREFIX + path for path in ASKED_FOR)])
    while ahead:
        at = ahead.popleft().partition("#")[0]
        route = route_of(at.removeprefix(PREFIX).partition("?")[0])
        if at in seen or counts[route] == 3:
            continue
        counts[route] += 1
        seen[at] = app.get(at)
        ahead += [
            link for link in leading(seen[at], ("href", "src")) if link.startswith(f"{PREFIX}/")
        ]
    return seen


def test_no_page_has_a_link_that_leaves_it(store, fast_disk, tmp_path):
    answers = crawled(app_of(store, fast_disk, tmp_path))
    for at, answer in answers.items():
        assert [link for link in leading(answer) if not link.startswith(f"{PREFIX}/")] == [], at
        assert f"{PREFIX}{PREFIX}" not in answer.body.decode(errors="replace"), at
    route_of = router(PAGES)
    reached = {
        route_of(at.removeprefix(PREFIX).partition("?")[0])
        for at, answer in answers.items()
        if answer.status < 400
    }
    assert set(PAGES) - reached <= NOT_HERE
    assert "/static/*" not in reached
    assert any(at.startswith(f"{PREFIX}/static/") for at in answers)


def test_whatever_leads_somewhere_is_below_it_and_texts_stay_as_they_are():
    leads = (
        '<a href="{0}/runs"> <pre data-log="{0}/log?a=1"> <button formaction="{0}/x"> <b href="#c">'
        '<meta http-equiv="refresh" content="0; url={0}/runs?a=1"> <input data-hash="{0}/find?w=">'
    )
    texts = '<p title="/a" data-x="/b" value="/c">/runs, href=&#34;/runs&#34;, href=/runs</p>'
    got: list[Message] = []

    async def send(message: Message) -> None:
        got.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    page = PageResponse(leads.format("") + texts)
    app = PrefixGuard(page, "/a")
    scope = {"type": "http", "method": "GET", "path": "/a/runs", "headers": []}
    carried_out(app(scope, receive, send))
    assert got[1]["body"].decode() == leads.format("/a") + texts


def test_outside_of_it_there_is_nothing(store):
    app = App(store, ServeSettings(store=store.uri, prefix=PREFIX))
    for path in ("/", "/runs", f"{PREFIX}x/runs", "/static/app.css", "/ml", f"/x{PREFIX}/runs"):
        answer = app.get(path)
        assert (answer.status, f"begin at {PREFIX}/" in answer.text) == (404, True)
    assert app.get(PREFIX).status == app.get(f"{PREFIX}/").status == 200
    assert app.get(f"{PREFIX}/runs", headers={"host": "evil.example"}).status == 421
    assert app.get(f"{PREFIX}//evil.example").status == 400
    assert app.get(f"{PREFIX}/../runs").status == 400
    assert app.get("/alive").status == app.get(f"{PREFIX}/alive").status == 200


def test_an_action_leads_to_a_page_below_it_and_its_cookie_stays_there(store):
    app = App(store, ServeSettings(store=store.uri, prefix=PREFIX, https=True))
    origin = {"origin": "https://127.0.0.1:8080"}
    assert app.post(f"{PREFIX}/wake", headers={"origin": "https://evil.example"}).status == 403
    assert app.post(f"{PREFIX}/wake", headers=origin, csrf="x").status == 403
    done = app.post(f"{PREFIX}/wake", headers=origin)
    assert (done.status, done.headers["location"]) == (303, f"{PREFIX}/triggers")
    (cookie,) = SimpleCookie(done.headers["set-cookie"]).values()
    assert (cookie.key, cookie["path"]) == ("__Secure-slimline-said", PREFIX)
    told = app.get(f"{PREFIX}/triggers", headers={"cookie": f"{cookie.key}={cookie.value}"})
    assert "Triggers are being evaluated." in told.text
    dropped = SimpleCookie(told.headers["set-cookie"])[cookie.key]
    assert (dropped["max-age"], dropped["path"]) == ("0", PREFIX)


def test_an_unchanged_page_is_not_sent_again(store):
    app = App(store, ServeSettings(store=store.uri, prefix=PREFIX))
    first = app.get(f"{PREFIX}/runs")
    assert len(first.body) == int(first.headers["content-length"])
    same = app.get(f"{PREFIX}/runs", headers={"if-none-match": first.headers["etag"]})
    assert same.status == 304


@pytest.mark.parametrize("way", ["code", "token"])
def test_people_sign_in_below_it(store, tmp_path, way):
    tokens = tmp_path / "tokens.txt"
    tokens.write_text(f"promote olga {'t' * 40}\n")
    tokens.chmod(0o600)
    auth = TokenAuth(file=tokens) if way == "token" else CodeAuth()
    with serving(store, ServeSettings(store=store.uri, prefix=PREFIX, auth=auth)) as served:
        if way == "token":
            asked = served.ask(f"{PREFIX}/runs?x=1", {"accept": "text/html"})
            assert asked.status == 401
            assert f'action="{PREFIX}/enter"' in asked.text
            assert f'href="{PREFIX}/static/' in asked.text
            body = f"token={'t' * 40}&to=%2Fruns%3Fx%3D1".encode()
            form = "application/x-www-form-urlencoded"
            headers = {"content-type": form, "origin": f"http://{served.host}"}
            entered = served.ask(f"{PREFIX}/enter", headers, method="POST", body=body)
            assert entered.headers["location"] == f"{PREFIX}/runs?x=1"
        else:
            assert isinstance(served.way, CodeWay)
            entered = served.ask(f"{PREFIX}/enter?code={served.way.new_code()}")
            assert entered.headers["location"] == f"{PREFIX}/"
        assert entered.status == 303
        (cookie,) = SimpleCookie(entered.headers["set-cookie"]).values()
        assert cookie["path"] == PREFIX
        shown = served.ask(f"{PREFIX}/runs", {"cookie": f"{cookie.key}={cookie.value}"})
        assert shown.status == 200
