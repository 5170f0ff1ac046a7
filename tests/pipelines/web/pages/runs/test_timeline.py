"""What ran when: the steps of a run with its longest path, the runs of the last days."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from pipelines.runs.records import put_finished
from tests.pipelines.web.calling import App, links_of, main_of, text_of, with_class

RUN = "digits-20261127-040000-aaaa"


def page(app, path):
    return main_of(app.get(path))


def bars(main):
    return [link for link in with_class(main, "gantt")[0].iter("a") if link.get("aria-label")]


def test_steps_of_a_run_have_bars_that_say_when(store, made):
    made.failed(RUN, 3, ago_s=100)
    main = page(App(store), f"/runs/{RUN}/timeline")
    told = [bar.get("aria-label") for bar in bars(main)]
    assert told[:2] == [
        f"{made.names[0]}: done, 4.0 s, from 0.0 s to 4.0 s of the run",
        f"{made.names[1]}: done, 4.0 s, from 4.0 s to 8.0 s of the run",
    ]
    assert told[3].startswith(f"{made.names[3]}: failed, 2.0 s")
    assert len(told) == 4
    assert "34 skipped" in text_of(main)


def test_the_longest_path_is_what_the_run_hangs_on(store, made):
    made.failed(RUN, 12, ago_s=100)
    main = page(App(store), f"/runs/{RUN}/timeline")
    (path,) = with_class(main, "chain-of")
    names = [text_of(link) for link in path.iter("a")]
    assert names[:2] == ["ingest", "train"]
    flows = set(made.graph.edges())
    assert all(pair in flows for pair in pairwise(names))
    assert f"Longest path: {4 * len(names)} s" in text_of(main)
    assert len(with_class(with_class(main, "gantt")[0], "bar-marked")) == len(names)


def test_a_running_run_ends_at_the_present(store, made):
    made.going(RUN, 3, ago_s=60)
    main = page(App(store), f"/runs/{RUN}/timeline")
    assert bars(main)[-1].get("aria-label").startswith(f"{made.names[3]}: running, from 5")
    assert "34 waiting" in text_of(main)


def test_a_run_of_which_nothing_ran_says_so(store, made):
    put_finished(store, made.record(RUN, datetime.now(UTC), {}, outcome="failed"))
    assert "No step of it has run." in text_of(page(App(store), f"/runs/{RUN}/timeline"))


@pytest.fixture
def several(store, made):
    now = datetime.now(UTC)
    for n, (hours, outcome) in enumerate(
        [(2, "done"), (2.01, "failed"), (50, "done"), (500, "done")]
    ):
        started = now - timedelta(hours=hours)
        record = made.record(f"digits-2026112{n}-040000-aaaa", started, {}, outcome=outcome,
                             finished=started.isoformat(), wall_s=600.0)  # fmt: skip
        put_finished(store, record)
    put_finished(store, replace(record, run="faces-20261120-040000-aaaa", name="faces",
                                started=(now - timedelta(hours=3)).isoformat()))  # fmt: skip
    return App(store)


@pytest.mark.parametrize(("query", "count"), [("days=1", 3), ("", 4), ("days=30", 5),
                                              ("days=30&name=faces", 1), ("days=x", 4),
                                              ("days=-5", 4), ("name=nope", 0)])  # fmt: skip
def test_runs_of_the_last_days_have_bars(several, query, count):
    main = page(several, f"/timeline?{query}")
    if count:
        assert len(bars(main)) == count
    else:
        assert "Nothing ran in this time." in text_of(main)


def test_bars_lead_to_runs_and_lie_below_each_other(several):
    main = page(several, "/timeline?days=1")
    labels = [bar.get("aria-label") for bar in bars(main)]
    assert any("failed, 10 min" in label for label in labels)
    assert {bar.get("href") for bar in bars(main)} >= {"/runs/digits-20261120-040000-aaaa"}
    tops = {bar.find(".//rect").get("y") for bar in bars(main)}
    assert len(tops) == 3
    assert links_of(main)["digitsdigits"] == "/runs?name=digits"
