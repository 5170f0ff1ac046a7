"""Releases in the UI, over runs with real models: who decides, what the gate says, what stays."""

from __future__ import annotations

import pytest

from pipelines.config.releases import GateSection
from pipelines.releases import gate
from pipelines.releases.promoting import promote, roll_back
from pipelines.releases.settings import ReleasesSection
from pipelines.runs.actions import list_actions
from pipelines.runs.cache import Cache
from pipelines.runs.releases.release_log import read_log
from pipelines.stores.layout import champion_key, release_log_key
from pipelines.web.security.viewer import Viewer
from pipelines.web.settings import ServeSettings
from tests.data.challengers import Run, write_run
from tests.data.releases import put_release, rewrite
from tests.pipelines.web.calling import (
    OWNER,
    READER,
    App,
    ended,
    forms_of,
    links_of,
    text_of,
    with_class,
)

SETTINGS = ReleasesSection(gate=GateSection(least_images=200))
FIRST, NEXT = "faces-20261120-101500-aaaa", "faces-20261125-101500-dddd"
GOOD, POOR = "faces-20261122-101500-bbbb", "faces-20261124-081500-cccc"


@pytest.fixture
def cache(store, fast_disk):
    return Cache(store, fast_disk / "scratch")


def raised(cache, run, **given):
    """A release that became the champion, whatever the gate says."""
    release = write_run(cache, Run(run, **given))
    promote(
        cache, release, SETTINGS, actor="ann@desk", force="first",
        judge=lambda challenger, before, section: gate.judge(cache, challenger, before, section),
    )  # fmt: skip
    return release


@pytest.fixture
def app(cache):
    """A champion, one that is as good, and one that is worse."""
    raised(cache, FIRST, noise=0.1)
    write_run(cache, Run(GOOD, noise=0.05))
    write_run(cache, Run(POOR, noise=0.6))
    return App(cache.store)


def waited(app, kind, name):
    """Wait for the end of a command that the page has started, and look at the store again."""
    ended(app.service.jobs, kind, name)
    app.refresh()


def page(app, viewer=OWNER):
    answer = app.get("/releases/faces", viewer=viewer)
    assert answer.status == 200
    return answer.html


def found(shown):
    """What the gate has found of candidates."""
    return [one for part in with_class(shown, "candidate") for one in with_class(part, "finding")]


def test_a_release_that_the_gate_lets_pass_becomes_the_champion_in_the_name_of_who_asked(app):
    sent = app.post("/releases/faces/promote", {"run": GOOD, "reason": "newer data"})
    assert (sent.status, sent.headers["location"]) == (303, "/releases/faces")
    waited(app, "promote", f"faces@{GOOD}")
    entry = read_log(app.service.store, "faces").check().champion
    assert entry
    assert (entry.run, entry.actor, entry.reason, entry.forced) == (
        GOOD, "olga", "newer data", False,
    )  # fmt: skip
    assert entry.gate
    assert entry.gate["verdict"] == "yes", "what the gate found is kept beside the reason"
    (action,) = list_actions(app.service.store, 5)
    assert (action.actor, action.action, action.what, action.reason) == (
        "olga", "promote", f"faces@{GOOD}", "newer data",
    )  # fmt: skip
    shown = page(app)
    assert GOOD in text_of(with_class(shown, "champion")[0])
    assert "by olga" in text_of(with_class(shown, "champion")[0])
    assert text_of(with_class(with_class(shown, "entries")[0], "reason")[0]) == "newer data"


def test_a_refusal_is_an_answer_with_what_the_gate_found_and_forcing_needs_a_reason(app):
    app.post("/releases/faces/promote", {"run": POOR, "reason": "try"})
    waited(app, "promote", f"faces@{POOR}")
    (finding,) = found(page(app))
    assert "The gate says no" in text_of(finding)
    assert "loses more than 0.010 of accuracy" in text_of(finding)
    assert "260" in text_of(finding)
    blank = app.post("/releases/faces/force", {"run": POOR, "reason": "   "})
    assert (blank.status, "a reason is missing" in blank.text) == (409, True)
    app.post("/releases/faces/force", {"run": POOR, "reason": "the -- demo"})
    waited(app, "promote", f"faces@{POOR}")
    entry = read_log(app.service.store, "faces").check().champion
    assert entry
    assert (entry.run, entry.actor, entry.reason, entry.forced) == (
        POOR, "olga", "the -- demo", True,
    )  # fmt: skip
    assert with_class(page(app), "chip")
    assert list_actions(app.service.store, 1)[0].action == "promote against the gate"


def test_what_the_gate_found_against_an_earlier_champion_is_not_told(app, cache):
    app.post("/releases/faces/promote", {"run": POOR, "reason": "try"})
    waited(app, "promote", f"faces@{POOR}")
    raised(cache, NEXT, noise=0.9)
    app.refresh()
    assert found(page(app)) == []


def test_two_people_holds_for_who_looks_at_the_page(cache):
    raised(cache, FIRST)
    write_run(cache, Run(GOOD, actor="olga@desk", releases={"two_people": True}))
    app = App(cache.store)
    app.post("/releases/faces/promote", {"run": GOOD, "reason": "mine"})
    waited(app, "promote", f"faces@{GOOD}")
    shown = text_of(page(app))
    assert "olga started the run" in shown
    assert "another person has to promote" in shown
    other = Viewer("otto", "promote")
    app.post("/releases/faces/promote", {"run": GOOD, "reason": "seen it"}, viewer=other)
    waited(app, "promote", f"faces@{GOOD}")
    entry = read_log(app.service.store, "faces").champion
    assert entry
    assert (entry.run, entry.actor) == (GOOD, "otto")


def test_rolling_back_leads_to_an_earlier_champion_and_says_why(app, cache):
    raised(cache, NEXT)
    app.refresh()
    unknown = app.post("/releases/faces/rollback", {"to": POOR, "reason": "crashes"})
    assert unknown.status == 404
    app.post("/releases/faces/rollback", {"to": FIRST, "reason": "crashes"})
    waited(app, "rollback", "faces")
    entry = read_log(app.service.store, "faces").check().champion
    assert entry
    assert (entry.kind, entry.run, entry.actor, entry.reason) == (
        "rollback", FIRST, "olga", "crashes",
    )  # fmt: skip
    entries = with_class(page(app), "entries")[0]
    assert [text_of(one)[:1] for one in entries.findall("li")] == ["3", "2", "1"]
    assert "rolled back" in text_of(page(app))


def test_who_may_only_read_sees_no_forms_and_promotes_nothing(app):
    assert forms_of(page(app, READER)) == {}
    sent = app.post("/releases/faces/promote", {"run": GOOD, "reason": "x"}, viewer=READER)
    assert sent.status == 403
    runner = Viewer("rolf", "run")
    assert (
        app.post("/releases/faces/force", {"run": GOOD, "reason": "x"}, viewer=runner).status == 403
    )
    assert app.service.jobs.find("promote", f"faces@{GOOD}") is None


def test_read_only_serves_no_forms(cache):
    raised(cache, FIRST)
    write_run(cache, Run(GOOD))
    app = App(cache.store, ServeSettings(store=cache.store.uri, read_only=True))
    assert forms_of(page(app)) == {}
    assert app.post("/releases/faces/promote", {"run": GOOD, "reason": "x"}).status in (404, 405)


@pytest.mark.parametrize("run", ["nobody", "--force", "../faces", GOOD[:-1], "<b>"])
def test_a_run_that_is_not_of_the_list_is_not_promoted(app, run):
    assert app.post("/releases/faces/promote", {"run": run, "reason": "x"}).status == 404


@pytest.mark.parametrize("name", ["nobody", "%2e%2e", "<script>", "faces.json"])
def test_a_name_that_is_none_is_not_found_and_is_inert(app, name):
    answer = app.get(f"/releases/{name}")
    assert answer.status in (400, 404)
    assert "<script>alert" not in answer.text


def test_a_log_that_was_edited_is_said_and_nothing_can_be_promoted(app, cache):
    raised(cache, NEXT)
    rewrite(cache.store, release_log_key("faces", 1), b"{}")
    app.refresh()
    shown = page(app)
    assert "not what was written" in text_of(shown)
    assert not any("promote" in address for address in forms_of(shown))
    app.get("/releases").html  # noqa: B018 it is whole
    sent = app.post("/releases/faces/promote", {"run": POOR, "reason": "x"})
    assert sent.status == 303
    waited(app, "promote", f"faces@{POOR}")
    assert "not what was written" in text_of(page(app))


def test_the_page_tells_whether_apps_read_what_the_log_says(app, cache):
    assert "behind the log" not in text_of(page(app))
    rewrite(cache.store, champion_key("faces"), b'{"schema":1}')
    assert "behind the log" in text_of(page(app))
    assert cache.store.get(champion_key("faces")) == b'{"schema":1}', "a page writes nothing"


def test_the_page_reads_each_entry_of_the_log_once(app, cache, monkeypatch):
    read, before = [], type(cache.store).get

    def counted(self, key, *rest):
        read.append(key)
        return before(self, key, *rest)

    monkeypatch.setattr(type(cache.store), "get", counted)
    page(app)
    assert read.count(release_log_key("faces", 1)) == 1


def test_names_of_people_are_inert_and_links_lead_to_runs_and_comparisons(app, cache):
    roll_back_reason = "<script>alert(1)</script>"
    raised(cache, NEXT)
    roll_back(cache, "faces", SETTINGS, actor="<b>eve</b>", reason=roll_back_reason)
    app.refresh()
    answer = app.get("/releases/faces")
    assert "<script>alert" not in answer.text
    assert "<b>eve" not in answer.text
    links = links_of(answer.html)
    assert links[POOR] == f"/runs/{POOR}"
    assert links["Compare with the champion"].startswith(f"/compare?run={FIRST}&run=")


def test_the_list_says_of_each_name_who_is_the_champion(app, store):
    put_release(store, "letters-20261126-090000-eeee", name="letters")
    app.refresh()
    shown = app.get("/releases").html
    rows = {text_of(row.find("th")): text_of(row) for row in shown.iter("tr")}
    assert FIRST in rows["faces"]
    assert "2 to decide" in rows["faces"]
    assert "none yet" in rows["letters"]


def test_an_empty_store_says_what_makes_a_release(store):
    answer = App(store).get("/releases")
    assert "slimline run CONFIG" in answer.text
