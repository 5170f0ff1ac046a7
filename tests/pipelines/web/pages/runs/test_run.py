"""The page of a run: failure first, what a kill has cost, live states, budgets; configuration."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from components.contract.digests import canonical_json, digest
from pipelines.config.loading import load
from pipelines.runs.graph import Graph, Ref
from pipelines.runs.records import put_finished, put_started
from pipelines.stores.layout import config_key
from pipelines.triggers.kept import put_trigger
from pipelines.triggers.ticks import Tick, note
from tests.data.page_runs import EXAMPLE, PageRuns, nightly
from tests.pipelines.runs.kept_run import DECISION, LOST, Kept
from tests.pipelines.web.calling import (
    READER,
    App,
    forms_of,
    links_of,
    main_of,
    text_of,
    with_class,
)

RUN = "digits-20261127-040000-aaaa"


def page(app, path=f"/runs/{RUN}", **values):
    return main_of(app.get(path, **values))


def row_of(main, step):
    return next(row for row in main.iter("tr") if row.get("id") == f"step-{step}")


def test_a_failure_is_said_first_with_its_fix_and_the_end_of_its_log(store, made):
    made.failed(RUN, 9, ago_s=100)
    main = page(App(store))
    (banner,) = with_class(main, "banner")
    told = text_of(banner)
    failed = made.names[9]
    assert f"{failed} failed" in told
    assert "teacher.epochs: 0 epochs train nothing" in told
    assert "Do: write epochs: 15" in told
    assert "Traceback epochs: 0" in told  # and no escape sequence
    assert (
        links_of(banner)["teacher.epochs: 0 epochs train nothing"] == f"/runs/{RUN}/steps/{failed}"
    )
    order = [one.tag for one in main]
    assert order.index("section") < [one.get("class") for one in main].index("overview")
    assert "9 of 38 steps have a result" in text_of(main)


def test_the_list_says_what_the_picture_says(store, made):
    made.failed(RUN, 9, ago_s=100)
    main = page(App(store))
    rows = [row for row in main.iter("tr") if (row.get("id") or "").startswith("step-")]
    assert {row.get("id") for row in rows} == {f"step-{name}" for name in made.names}
    assert "failed" in text_of(row_of(main, made.names[9]))
    assert "skipped" in text_of(row_of(main, made.names[20]))
    drawn = [link.get("href") for link in with_class(main, "drawn")[0].iter("a")]
    assert sorted(drawn) == sorted(f"/runs/{RUN}/steps/{name}" for name in made.names)
    (box,) = with_class(main, "in-failed")
    assert made.graph.by_name[made.names[9]].component in text_of(box)


def test_a_killed_run_says_what_is_lost_and_what_to_do(store, made):
    made.killed(RUN, 12, ago_s=4000)
    main = page(App(store))
    told = text_of(with_class(main, "banner")[0])
    assert "Its engine was killed" in told
    assert f"Lost: {made.names[12]} (epoch 3 of 15)." in told
    assert "Kept: the results of 12 steps, which the next run takes from the store." in told
    assert "25 steps never began." in told
    assert "Do: run it again" in told
    assert "killed" in text_of(row_of(main, made.names[12]))


def test_a_cancelled_run_says_who_ended_it_and_why(store, made):
    made.cancelled(RUN, 3, ago_s=300, asked={"actor": "olga", "reason": "wrong data", "at": "x"})
    told = text_of(with_class(page(App(store)), "banner")[0])
    assert "Ended by olga: wrong data" in told
    assert f"Lost: 3.0 s of {made.names[3]}." in told


def test_a_running_run_says_how_far_it_is_and_how_long_it_takes(store, made):
    ended = datetime.now(UTC) - timedelta(hours=2)
    steps = made.steps_until("digits-20261126-040000-aaaa", len(made.names), ended, "waiting")
    before = made.record("digits-20261126-040000-aaaa", ended, steps)
    put_finished(store, replace(before, outcome="done", finished=ended.isoformat(), wall_s=152.0))
    made.going(RUN, 8, ago_s=60)
    app = App(store)
    main = page(app)
    assert "8 of 38 steps have ended, about" in text_of(main)
    assert "epoch 3 of 15, loss 0.1234, about 12 s left" in text_of(row_of(main, made.names[8]))
    assert f"/runs/{RUN}/cancel" in forms_of(main)
    assert f"/runs/{RUN}/cancel" not in forms_of(page(app, viewer=READER))


def test_it_is_the_same_page_until_something_happens(store, made):
    record = made.going(RUN, 8, ago_s=60)
    app = App(store)
    first = app.get(f"/runs/{RUN}")
    app.refresh()
    tag = {"if-none-match": first.headers["etag"]}
    assert app.get(f"/runs/{RUN}", headers=tag).status == 304
    steps = made.steps_until(RUN, 9, datetime.now(UTC), "waiting")
    made.put_progress(RUN, steps, datetime.now(UTC), ended=False)
    app.refresh()
    assert app.get(f"/runs/{RUN}", headers=tag).status == 200
    put_finished(store, replace(record, outcome="done", steps=steps, finished=record.started))
    app.refresh()
    assert "9 of 38 steps have a result" in text_of(page(app))


def test_a_run_with_a_release_leads_to_all_that_came_of_it(store, writer, data):
    kept = writer.run("digits-1", data)
    main = page(App(store), "/runs/digits-1")
    links = links_of(main)
    assert links["Leaderboard"] == "/runs/digits-1/board"
    assert "/releases/digits" in links_of(with_class(main, "tiles")[0]).values()
    source = kept.record.sources["data"]
    assert f"/data/{source}" in links.values()
    assert links["what it was made of, and what was made of it"] == "/lineage/digits-1"


def test_a_winner_is_held_against_its_budgets(tmp_path):
    kept = Kept(tmp_path, DECISION)
    record = replace(kept.record(), run="digits-2", budgets={"size_mb": 0.02, "latency_ms": 1.0,
                     "drop": 0.01, "metric": "auc"})  # fmt: skip
    put_finished(kept.store, record)
    main = page(App(kept.store), "/runs/digits-2")
    tiles = [text_of(tile) for tile in with_class(main, "tile")]
    assert tiles[0].startswith("Winnerstudent-int8")
    assert tiles[1:] == [
        "Size9.88 kBbudget 20 kB",
        "Drop of auc, at most0.008budget 0.01",
        "Latency, host310 µsbudget 1 ms",
    ]
    assert [one.get("aria-label") for tile in with_class(main, "tile")[1:] for one in
            with_class(tile, "share")] == ["49 % of the budget", "80 % of the budget",
                                           "31 % of the budget"]  # fmt: skip


def test_no_winner_is_said(tmp_path):
    main = page(App(Kept(tmp_path, LOST).store), "/runs/digits-1")
    assert "no variant keeps every budget" in text_of(main)


def test_who_started_it_and_why(store, made):
    at = datetime.now(UTC)
    made.failed(RUN, 1, ago_s=100, actor="trigger nightly")
    put_trigger(store, nightly(load(EXAMPLE), at))
    note(store, "nightly", "", Tick.of(at, "launch", "30 images are new", "k", run=RUN))
    told = text_of(page(App(store)))
    assert "by trigger nightly" in told
    assert "30 images are new" in told


def test_a_hostile_trigger_name_leads_nowhere(store, made):
    made.failed(RUN, 1, ago_s=100, actor="trigger ../../x y")
    assert "trigger ../../x y" in text_of(page(App(store)))


def test_names_of_steps_are_text(store, made):
    step = replace(made.graph.steps[0], name="in<b>gest")
    hostile = PageRuns(store, Graph("digits", (step,), {}))
    hostile.failed(RUN, 0, ago_s=100)
    main = page(App(store))
    assert "in<b>gest" in text_of(main)
    links = [link.get("href") for link in main.iter("a")]
    assert f"/runs/{RUN}/steps/in%3Cb%3Egest" in links


def test_a_large_graph_is_folded_and_a_larger_one_is_a_list(store, made):
    ingest, train = (made.graph.by_name[name] for name in ("ingest", "train"))
    many = [
        replace(train, name=f"train-{n}", inputs={"dataset": Ref("ingest", "dataset")})
        for n in range(200)
    ]
    wide = PageRuns(store, Graph("digits", (ingest, *many), {}))
    wide.failed(RUN, 100, ago_s=900)
    main = page(App(store))
    drawn = text_of(with_class(main, "drawn")[0])
    assert "1 of 200 failed" in drawn
    assert len(with_class(main, "drawn")[0].findall(".//rect")) == 2
    chain = [replace(ingest, name="ingest")]
    for n in range(130):
        flow = {"dataset": Ref(chain[-1].name, "dataset" if n == 0 else "model")}
        chain.append(replace(train, name=f"train-{n:03}", inputs=flow))
    long = PageRuns(store, Graph("digits", tuple(chain), {}))
    long.failed("digits-20261127-050000-bbbb", 3, ago_s=90)
    main = page(App(store), "/runs/digits-20261127-050000-bbbb")
    assert not with_class(main, "drawn")
    assert "It has 131 steps: pictures stop at 120. The list has them all." in text_of(main)


def test_the_configuration_is_shown_as_it_was_resolved(store, made):
    content = {"name": "digits", "seed": 0, "budgets": {"drop": 0.02}}
    wanted = digest("config", content)
    store.put_if_absent(config_key(wanted), canonical_json(content))
    started = datetime.now(UTC)
    places = {"data": "s3://olga:secret@host/digits?token=abc", "pairs": ("/a", "/b")}
    put_started(store, made.record(RUN, started, {}, config_digest=wanted, places=places))
    app = App(store)
    main = page(app, f"/runs/{RUN}/config")
    text = "".join(with_class(main, "code")[0].itertext())
    assert text == "budgets:\n  drop: 0.02\nname: digits\nseed: 0\n"
    told = text_of(main)
    assert "s3://host/digits" in told
    assert "/a, /b" in told
    for body in (app.get(f"/runs/{RUN}/config").text, app.get(f"/runs/{RUN}").text):
        assert "secret" not in body
        assert "token=abc" not in body


def test_what_is_lost_of_an_earlier_version_is_said(store, made):
    made.failed(RUN, 1, ago_s=100)
    main = page(App(store), f"/runs/{RUN}/config")
    assert "runs of earlier versions kept none" in text_of(main)
    assert "0.02" in text_of(main)


@pytest.mark.parametrize(
    "path", ["nope", "%2e%2e", "..%2f..", "a b", "tmp", "digits-20261127-040000-zzzz", "x" * 600]
)
def test_what_is_no_run_is_not_found_with_what_to_do(store, path):
    answer = App(store).get(f"/runs/{path}")
    assert answer.status in (400, 404)
    if answer.status == 404:
        assert "choose one" in answer.text
