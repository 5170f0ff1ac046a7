"""Health, metrics and actions: what is amiss is said with its fix, also where nothing can be read."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from components.contract.errors import UserError
from pipelines.runs.actions import Action, record_action
from pipelines.runs.releases.registry import register_release
from pipelines.stores.layout import collection_key, quarantine_key
from pipelines.stores.leases import Leases
from pipelines.triggers.settings import ScheduleSettings, WatchSettings
from pipelines.web.pages.metrics import CONTENT_TYPE, metric
from pipelines.web.standing import IndexMissingError
from tests.pipelines.triggers.worlds import World
from tests.pipelines.web.calling import READER, App, links_of, text_of, with_class

SAMPLE = re.compile(
    r'([a-z_]+)(\{[a-z]+="(?:[^"\\\n]|\\.)*"(?:,[a-z]+="(?:[^"\\\n]|\\.)*")*\})? (\S+)'
)


@pytest.fixture
def world(store, fast_disk):
    made = World(store, fast_disk)
    made.trigger("nightly", schedule=ScheduleSettings(cron="30 2 * * *", zone="Europe/Berlin"))
    made.trigger("uploads", watch=WatchSettings(quiet_s=1))
    made.runs.outcomes = ["user fault"]
    for _ in range(4):
        made.tick()
        made.clock.passes(seconds=2)
    return made


def app_of(world):
    app = App(world.store)
    app.service.clock = world.clock
    app.refresh()
    return app


def samples(text):
    """Every sample of the text format by name and labels."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    found = [SAMPLE.fullmatch(line) for line in lines]
    assert all(found), [line for line, one in zip(lines, found, strict=True) if not one]
    return {one[1] + (one[2] or ""): float(one[3]) for one in found if one}


# health -------------------------------------------------------------------------------------------


def test_a_store_with_nothing_amiss_is_well(store):
    page = App(store).get("/health").html
    assert "All is well" in text_of(page)
    assert links_of(page)["who did what"] == "/actions"


def test_what_is_missing_is_listed_with_what_to_do(world):
    register_release(world.store, "faces", "faces-20261120-101500-aaaa", "1" * 64)
    text = text_of(app_of(world).get("/health").html)
    assert "amiss" in text
    assert "trees/1111" in text
    assert "slimline verify --store" in text


def test_quarantine_garbage_and_leases_are_shown(world):
    world.store.put_if_absent(quarantine_key("trees/x.json", "a" * 64), b"x")
    collection = (
        b'{"actor":"ann@desk","alive":[],"at":"2026-11-20T03:00:00+00:00","condemned":{},'
        b'"finished":"2026-11-21T03:00:00+00:00","id":"g","keep_s":0.0,"removed":3,'
        b'"removed_bytes":5000000,"schema":1,"size_bytes":0,"spared":0}'
    )
    world.store.put_if_absent(collection_key("g"), collection)
    leases = Leases(world.store)
    lease = leases.take("claims/" + "b" * 64 + ".json", {"step": "train"})
    text = text_of(app_of(world).get("/health").html)
    assert lease
    lease.release()
    leases.close()
    assert "1 damaged value lies in quarantine" in text
    assert "5 MB removed" in text
    assert "step train" in text


def test_a_run_from_the_future_is_told_as_a_clock_that_is_wrong(world):
    app = app_of(world)
    world.clock.now -= timedelta(hours=1)
    text = text_of(app.get("/health").html)
    assert "yet to come by the clock of this machine" in text


def test_a_store_that_does_not_answer_is_said_and_the_page_stands(world, monkeypatch):
    app = app_of(world)

    def away(prefix):
        raise UserError("the disk is gone", "mount it")

    monkeypatch.setattr(app.service.store, "list", away)
    app.refresh()
    answer = app.get("/health")
    assert answer.status == 200
    assert "the disk is gone" in text_of(answer.html)
    assert samples(app.get("/metrics").text)["slimline_store_up"] == 0


def test_while_there_is_no_index_the_page_stands(world, monkeypatch):
    app = app_of(world)

    def missing():
        raise IndexMissingError("being read", "wait")

    monkeypatch.setattr(app.service.store_counts, "read", missing)
    assert app.get("/health").status == 200
    assert app.get("/metrics").status == 200


# metrics ------------------------------------------------------------------------------------------


def test_metrics_are_in_the_text_format_and_count_what_there_is(world):
    app = app_of(world)
    app.get("/nowhere")
    app.get("/releases")
    answer = app.get("/metrics", viewer=READER)
    assert answer.headers["content-type"] == CONTENT_TYPE
    found = samples(answer.text)
    assert found["slimline_store_up"] == 1
    assert found['slimline_runs{outcome="failed"}'] == 1
    assert found['slimline_trigger_dead_letters{trigger="uploads"}'] == 1
    assert found['slimline_trigger_dead_letters{trigger="nightly"}'] == 0
    assert found['slimline_trigger_last_tick_seconds{trigger="nightly"}'] == 2
    assert found['slimline_http_requests_total{method="GET",status="404"}'] == 1
    assert found['slimline_http_requests_total{method="GET",status="200"}'] == 1


def test_each_metric_has_help_and_type_before_its_samples(world):
    text, known = app_of(world).get("/metrics").text, set()
    assert text.endswith("\n")
    for line in text.splitlines():
        if found := re.fullmatch(r"# TYPE (\w+) (?:gauge|counter)", line):
            assert found[1] not in known
            known.add(found[1])
        elif not line.startswith("#"):
            assert re.match(r"\w+", line)[0] in known


@pytest.mark.parametrize("text", ['a"} 1', "a\nb 2", "a\\", 'x",y="z'])
def test_hostile_names_stay_within_their_label(text):
    (line,) = list(metric("slimline_x", "gauge", "x", [({"name": text}, 1)]))[2:]
    assert samples(line)
    assert "\n" not in line


# actions ------------------------------------------------------------------------------------------


def test_actions_say_who_did_what_to_what_and_why_the_newest_first(store):
    for number, (actor, action, what) in enumerate((
        ("ann", "cancel", "faces-20261120-101500-aaaa"),
        ("bob", "promote", "faces@faces-20261120-101500-aaaa"),
        ("<b>eve</b>", "pause trigger", "nightly"),
    )):  # fmt: skip
        at = f"2026-11-27T03:0{number}:00.000+00:00"
        record_action(store, Action(at, actor, action, what, f"because {number}"))
    app = App(store)
    page = app.get("/actions")
    assert "<b>eve" not in page.text
    rows = [text_of(row) for row in page.html.iter("tr")][1:]
    assert ["because 2" in rows[0], "because 0" in rows[-1]] == [True, True]
    links = links_of(page.html)
    assert links["nightly"] == "/triggers/nightly"
    assert links["faces@faces-20261120-101500-aaaa"] == "/releases/faces"
    assert links["faces-20261120-101500-aaaa"] == "/runs/faces-20261120-101500-aaaa"
    chosen = app.get("/actions?actor=ann&action=cancel").html
    assert len(list(chosen.iter("tr"))) == 2


def test_where_nobody_has_done_anything_the_page_says_so(store):
    assert with_class(App(store).get("/actions").html, "empty")
