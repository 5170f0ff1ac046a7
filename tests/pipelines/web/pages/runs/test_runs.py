"""The list of runs: filters, pages that news does not move, runs without an end, what is compared."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from pipelines.runs.records import put_finished, put_started
from tests.pipelines.runs.kept_run import DECISION, Kept
from tests.pipelines.web.calling import App, links_of, main_of, text_of, with_class

BEGIN = datetime(2026, 11, 27, 4, 0, tzinfo=UTC)


def page(app, path="/runs"):
    return main_of(app.get(path))


def listed(main):
    return [
        row.get("id").removeprefix("run-")
        for row in main.iter("tr")
        if (row.get("id") or "").startswith("run-")
    ]


def name_of(n):
    return f"digits-20261127-04{n:04}-aaaa"


@pytest.fixture
def many(store, made):
    """130 runs of two people and a trigger, every tenth of which failed."""
    for n in range(130):
        started = BEGIN + timedelta(minutes=n)
        record = made.record(
            name_of(n), started, {}, outcome="failed" if n % 10 == 0 else "done",
            actor="olga" if n % 2 else "trigger nightly", finished=started.isoformat(), wall_s=61.0,
        )  # fmt: skip
        put_finished(store, record)
    return App(store)


def test_pages_go_back_and_forth_and_news_does_not_move_them(many, store, made):
    newest = [name_of(n) for n in reversed(range(130))]
    main = page(many)
    assert listed(main) == newest[:50]
    assert "130 in this store" in text_of(main)
    older = links_of(main)["Older"]
    put_finished(store, made.record(name_of(500), BEGIN + timedelta(hours=9), {}, outcome="done"))
    many.refresh()
    second = page(many, older)
    assert listed(second) == newest[50:100]
    last = page(many, links_of(second)["Older"])
    assert listed(last) == newest[100:]
    assert "Older" not in links_of(last)
    back = page(many, links_of(last)["Newer"])
    assert listed(back) == newest[50:100]
    assert listed(page(many, links_of(back)["Newer"])) == newest[:50]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("outcome=failed", 13),
        ("by=trigger+nightly", 65),
        ("by=olga&outcome=failed", 0),
        ("q=041", 3),
        ("q=OLGA", 65),
        ("q=%25", 0),
        ("q=_", 0),
        ("name=digits&q=+040129+", 1),
        ("name=%27+OR+1+--", 0),
    ],
)
def test_filters_choose(many, query, count):
    if query == "q=041":
        count = sum("041" in name_of(n) for n in range(130))
    main = page(many, f"/runs?{query}")
    assert re.search(rf"Runs ?{count} like that", text_of(main)), text_of(main)[:200]
    assert len(listed(main)) == min(50, count)
    if not count:
        assert "No run is like that." in text_of(main)


def test_filters_and_pages_go_together(many):
    main = page(many, "/runs?by=olga")
    assert len(listed(page(many, links_of(main)["Older"]))) == 15
    (chosen,) = [
        one
        for one in main.iter("option")
        if one.get("selected") is not None and text_of(one) != "all"
    ]
    assert text_of(chosen) == "olga"


def test_runs_without_an_end_are_told_as_they_are(store, made):
    made.going("digits-20261127-040000-aaaa", 8, ago_s=60)
    made.killed("digits-20261127-030000-bbbb", 12, ago_s=4000)
    app = App(store)
    main = page(app)
    running, broken = (row for row in main.iter("tr") if row.get("id"))
    assert "running" in text_of(running)
    (strip,) = with_class(running, "strip")
    assert strip.get("aria-label") == "8 done, 1 running, 29 waiting"
    assert "broken off" in text_of(broken)
    assert listed(page(app, "/runs?outcome=running")) == ["digits-20261127-040000-aaaa"]
    assert listed(page(app, "/runs?outcome=broken")) == ["digits-20261127-030000-bbbb"]


def test_runs_are_chosen_for_a_comparison(many):
    main = page(many)
    boxes = [one for one in main.iter("input") if one.get("type") == "checkbox"]
    assert [box.get("value") for box in boxes] == listed(main)
    assert {(box.get("form"), box.get("name")) for box in boxes} == {("compare", "run")}
    (form,) = [one for one in main.iter("form") if one.get("id") == "compare"]
    assert (form.get("action"), form.get("method")) == ("/compare", "get")


def test_winners_are_told_and_found(tmp_path):
    main = page(App(Kept(tmp_path, DECISION).store), "/runs?q=student")
    assert listed(main) == ["digits-1"]
    assert "student-int8 9.88 kB" in text_of(main)


def test_an_empty_store_says_what_to_do(store):
    text = text_of(page(App(store)))
    assert "slimline init" in text
    assert f"slimline run CONFIG --store {store.uri}" in text


def test_names_are_text(store, made):
    actor = "<script>alert(1)</script>\u202e"
    put_started(store, made.record(name_of(1), BEGIN, {}, actor=actor, outcome="failed"))
    answer = App(store).get("/runs")
    assert "<script>alert" not in answer.text
    assert "\u202e" not in answer.text.replace("&lt;", "<").partition("<table")[2]
    assert "<script>alert(1)</script>" in text_of(answer.html.find(".//table"))


def test_a_full_page_of_long_runs_is_small(store, made):
    for n in range(50):
        steps = made.steps_until(name_of(n), 20, BEGIN, "skipped")
        record = made.record(name_of(n), BEGIN + timedelta(minutes=n), steps, outcome="failed")
        put_finished(store, record)
    assert len(App(store).get("/runs").body) < 150_000
