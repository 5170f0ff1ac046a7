"""The first page: what needs somebody, what runs, what comes next, and how to begin."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from components.artifacts.empty import FILE as NOTHING
from pipelines.config.loading import load
from pipelines.runs.actions import Action, record_action
from pipelines.runs.moments import now
from pipelines.runs.records import put_finished
from pipelines.runs.releases.registry import register_release
from pipelines.stores.layout import ACTIONS, trigger_key
from pipelines.triggers.kept import put_trigger
from tests.data.page_runs import EXAMPLE, nightly
from tests.data.releases import put_release
from tests.data.trees import put_tree
from tests.pipelines.web.calling import App, links_of, main_of, text_of, with_class

FAILED = "digits-20261127-040000-aaaa"


def page(app):
    return main_of(app.get("/"))


def needs(main):
    return [text_of(item) for root in with_class(main, "needs") for item in root]


def test_an_empty_store_says_how_to_begin(store):
    main = page(App(store))
    assert text_of(main.find(".//h1")) == "Nothing has run here yet"
    for command in ("slimline init", "slimline run CONFIG", "slimline watch add", "serve --demo"):
        assert command in text_of(main)


def test_what_failed_lately_needs_somebody_until_a_later_run_is_done(store, made):
    record = made.failed(FAILED, 9, ago_s=500)
    app = App(store)
    (need,) = needs(page(app))
    assert f"Failed {FAILED}" in need
    assert f"{made.names[9]}: teacher.epochs: 0 epochs train nothing".capitalize()[1:] in need
    assert "Do: write epochs: 15" in need
    later = replace(record, run="digits-20261127-050000-bbbb", outcome="done", steps={},
                    started=now(), finished=now())  # fmt: skip
    put_finished(store, later)
    app.refresh()
    main = page(app)
    assert needs(main) == []
    assert text_of(main.find(".//h1")) == "Nothing needs you"


def test_a_cancelled_run_needs_nobody_and_hides_no_failure(store, made):
    made.failed(FAILED, 9, ago_s=500)
    made.cancelled("digits-20261127-050000-bbbb", 3, ago_s=300, asked={"actor": "olga"})
    (need,) = needs(page(App(store)))
    assert FAILED in need


def test_what_failed_long_ago_needs_nobody(store, made):
    made.failed(FAILED, 9, ago_s=15 * 86400)
    assert needs(page(App(store))) == []


def test_what_was_killed_needs_somebody(store, made):
    made.killed(FAILED, 9, ago_s=5000)
    (need,) = needs(page(App(store)))
    assert "Broken off" in need
    assert "run it again" in need


def test_what_runs_says_how_far_it_is(store, made):
    made.going(FAILED, 8, ago_s=60)
    main = page(App(store))
    (going,) = with_class(main, "going")
    assert "8 of 38 steps" in text_of(going)
    assert f"{made.names[8]} 20 %" in text_of(going)
    assert links_of(going)[made.names[8]] == f"/runs/{FAILED}/steps/{made.names[8]}"


def test_a_candidate_waits_to_be_promoted(store, writer, data):
    writer.run("digits-1", data)
    main = page(App(store))
    need = next(one for one in needs(main) if one.startswith("Candidate"))
    assert "Candidate digits A model of run digits-1" in need
    assert links_of(with_class(main, "needs")[0])["digits"] == "/releases/digits"


@pytest.fixture
def trigger(store):
    """A schedule that nobody evaluates."""
    return put_trigger(store, nightly(load(EXAMPLE), datetime.now(UTC) - timedelta(days=2)))


def test_what_comes_next_and_what_is_overdue(store, trigger):
    main = page(App(store))
    (need,) = needs(main)
    assert "Overdue nightly" in need
    assert "At 02:30 every day" in text_of(main)
    assert [one for one in main.iter("time") if one.text and one.text.startswith("in ")]


def test_a_damaged_trigger_is_told(store, trigger):
    store.put_if_absent(trigger_key("broken"), b"{")
    told = " ".join(needs(page(App(store))))
    assert "Damaged trigger broken" in told
    assert "slimline triggers remove broken" in told


def test_a_run_that_ended_before_it_began_is_told_with_its_last_line(store, home, monkeypatch):
    from pipelines.launch import detached

    run = "digits-20261127-060000-cccc"
    log = detached.state.__globals__["_log"](run)
    log.parent.mkdir(parents=True)
    log.write_text("reading\ndata: there is no folder /data\n")
    record_action(store, Action(now(), "olga", "run", run, "try it"))
    (need,) = needs(page(App(store)))
    assert f"Did not begin {run}" in need
    assert "Data: there is no folder /data" in need


def test_damaged_records_are_told(store, made):
    made.failed(FAILED, 1, ago_s=20 * 86400)
    store.put_if_absent("runs/digits-20261127-070000-dddd/run.json", b"{")
    (need,) = needs(page(App(store)))
    assert "Damaged 1 value" in need or "values" in need


def test_the_latest_release_with_a_model_is_told_however_many_came_to_none_since(store):
    put_release(store, "faces-20261101-090000-aaaa")
    nothing = put_tree(store, {NOTHING: b"{}"})
    for day in range(2, 9):
        register_release(store, "faces", f"faces-202611{day:02}-090000-aaaa", nothing.digest)
    main = page(App(store))
    released = next(one for one in main.iter("section") if one.get("aria-labelledby") == "released")
    assert "faces-20261101-090000-aaaa" in text_of(released)


def test_what_pages_have_started_is_read_once(store, monkeypatch):
    record_action(store, Action(now(), "olga", "run", FAILED, "try it"))
    app = App(store)
    listed, before = [], type(store).list

    def counted(self, prefix="", *rest):
        listed.append(prefix)
        return before(self, prefix, *rest)

    monkeypatch.setattr(type(store), "list", counted)
    page(app)
    days = [prefix for prefix in listed if prefix.startswith(ACTIONS)]
    assert len(days) == len(set(days)) == 2
