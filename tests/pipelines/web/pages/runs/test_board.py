"""The leaderboard of a run, and its decision under budgets that are moved."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from components.artifacts.budgets import Budgets
from components.artifacts.group_result import GroupResult
from components.artifacts.report_material import ReportMaterial
from components.pages.leaderboard import leaderboard_page
from components.selection.choosing import choose
from components.selection.rankings import ranking_differences
from tests.data.decisions import BUDGETS, around, decision_of, renamed, select_outputs, variants
from tests.pipelines.web.calling import App, links_of, parsed, text_of, with_class

RUN = "digits-1"
NASTY = "<img src=x onerror=alert(1)>\u202e\"'&"


@pytest.fixture
def board(store, writer, data):
    """Ask for the leaderboard of a run that decided."""
    writer.run(RUN, data, instead=select_outputs(decision_of()))
    app = App(store)

    def ask(**query):
        return app.get(f"/runs/{RUN}/board?{urlencode(query)}")

    return ask


def told(answer):
    """The sentence that says who wins."""
    return text_of(with_class(answer.html, "told")[0])


def test_the_table_says_what_the_report_says(board):
    report = parsed(leaderboard_page(decision_of(), ReportMaterial((), {})))
    page = board().html
    for place in (0, 1):  # the leaderboard, and all metrics
        assert text_of(with_class(page, "board")[place]) == text_of(
            with_class(report, "board")[place]
        )
    how = [one.find(".//section[@aria-labelledby='how']/dl") for one in (page, report)]
    assert text_of(how[0]) == text_of(how[1])


def test_the_run_s_own_budgets_are_said_as_what_happened(board):
    answer = board()
    assert told(answer) == "small wins at 2 ms, 100 kB, drop 0.020"
    assert "Back to the budgets of the run" not in answer.text


@pytest.mark.parametrize(
    ("query", "budgets", "goal"),
    [
        ({"drop": "0.01"}, Budgets("accuracy", 0.01, 0.1, 2.0), "size"),
        ({"drop": "0"}, Budgets("accuracy", 0, 0.1, 2.0), "size"),
        ({"size_kb": "", "drop": "0.01"}, Budgets("accuracy", 0.01, None, 2.0), "size"),
        ({"latency_ms": "0.5"}, Budgets("accuracy", 0.02, 0.1, 0.5), "size"),
        ({"size_kb": "8"}, Budgets("accuracy", 0.02, 0.008, 2.0), "size"),
        ({"minimize": "latency", "drop": "0.5"}, Budgets("accuracy", 0.5, 0.1, 2.0), "latency"),
        (
            {"floor_accuracy": "0.965"},
            Budgets("accuracy", 0.02, 0.1, 2.0, {"accuracy": 0.965}),
            "size",
        ),
        (
            {"floor_macro_f1": "0.97", "floor_accuracy": "0.9"},
            Budgets("accuracy", 0.02, 0.1, 2.0, {"macro_f1": 0.97, "accuracy": 0.9}),
            "size",
        ),
    ],
)
def test_moved_budgets_are_judged_as_select_judges(board, query, budgets, goal):
    choice = choose(variants(), budgets, reference="teacher", minimize=goal)
    answer = board(**query)
    assert told(answer).startswith(f"{choice.winner or 'Nothing'} would win at ")
    table = text_of(with_class(answer.html, "board")[0])
    assert all(one.reason in table for one in choice.candidates)
    assert links_of(answer.html)["Back to the budgets of the run"] == f"/runs/{RUN}/board#explore"


def test_the_budgets_of_the_run_written_out_are_its_own(board):
    answer = board(size_kb="100", latency_ms="2", drop="0.02", minimize="size", x="size")
    assert told(answer) == "small wins at 2 ms, 100 kB, drop 0.020"


@pytest.mark.parametrize(
    "query",
    [
        {"drop": "much"}, {"drop": "-0.1"}, {"size_kb": "nan"}, {"latency_ms": "1e999"},
        {"latency_ms": "0"}, {"x": "colour"}, {"y": "../../etc"}, {"minimize": "cost"},
        {"x": "latency-phone"}, {"drop": ""}, {"floor_accuracy": "1.5"}, {"floor_accuracy": "-0.1"},
        {"floor_accuracy": "much"}, {"per": "person"},
    ],
)  # fmt: skip
def test_what_is_no_budget_and_no_axis_is_refused_with_a_fix(board, query):
    answer = board(**query)
    assert answer.status == 409
    (name,) = query
    assert name in text_of(answer.html.find(".//h1"))


@pytest.mark.parametrize(
    ("name", "what"), [("auc", "classification has no metric 'auc'"), ("eer", "no metric 'eer'")]
)
def test_a_floor_of_what_has_none_is_refused_as_in_a_configuration(board, name, what):
    answer = board(**{f"floor_{name}": "0.5"})
    assert answer.status == 409
    assert what in text_of(answer.html)


def floors_of(answer):
    """The fields of floors, each with its value."""
    return {one.get("name"): one.get("value") for one in answer.html.iter("input")
            if one.get("name", "").startswith("floor_")}  # fmt: skip


def test_floors_are_fields_of_the_form_and_go_with_what_is_shown(board):
    assert floors_of(board()) == {"floor_accuracy": ""}
    assert floors_of(board(y="macro_f1")) == {"floor_accuracy": "", "floor_macro_f1": ""}
    answer = board(y="macro_f1", floor_macro_f1="0.96")
    assert told(answer).endswith("drop 0.020, macro F1 at least 0.960")
    stage = with_class(answer.html, "stage")[0]
    assert stage.get("data-upwards-field") == "floor_macro_f1"
    assert len(with_class(stage, "grip")) > 2  # of the floor, too, for desks and for phones
    links = links_of(answer.html)
    assert links["accuracy"] == f"/runs/{RUN}/board?floor_macro_f1=0.96#explore"
    assert links["Back to the budgets of the run"] == f"/runs/{RUN}/board?y=macro_f1#explore"
    assert "Each floor holds" not in answer.text, "the data tells of no groups"


def test_floors_of_the_run_are_taken_away_and_asked_for_each_group(store, writer, data):
    found = [grouped(one, site) for one, site in zip(variants(), (0.97, 0.95, 0.93), strict=True)]
    own = Budgets("accuracy", 0.02, 0.1, 2.0, {"accuracy": 0.94})
    writer.run(RUN, data, instead=select_outputs(decision_of(found, own)))
    app = App(store)

    def asked(**query):
        return app.get(f"/runs/{RUN}/board?{urlencode(query)}")

    assert told(asked()) == "small wins at 2 ms, 100 kB, drop 0.020, accuracy at least 0.940"
    assert told(asked(floor_accuracy="0.94", per="")) == told(asked()), "that is the run's own"
    assert told(asked(per="group")).startswith("good would win")
    assert told(asked(per="group")).endswith("accuracy at least 0.940 in each group")
    assert told(asked(per="group", floor_accuracy="")) == (
        "small would win at 2 ms, 100 kB, drop 0.020"
    )
    chosen = asked(per="group").html.find(".//select[@name='per']/option[@selected]")
    assert text_of(chosen) == "for each group, too"


def grouped(one, accuracy):
    """A variant with a group of images on which it reaches so much."""
    reached = {"accuracy": around(accuracy)}
    return replace(one, groups={"north": GroupResult(50, 5, reached, {})})


def test_axes_are_links_and_the_picture_follows_them(board):
    page = board(x="latency-host", y="drop").html
    picture = with_class(with_class(page, "stage")[0], "picture")[0]
    assert (
        text_of(picture.find("title")) == "drop of accuracy against latency on host of 3 variants"
    )
    current = [text_of(link) for link in page.iter("a") if link.get("aria-current") == "true"]
    assert current == ["drop of accuracy", "median latency on host"]
    links = links_of(page)
    assert links["macro F1"] == f"/runs/{RUN}/board?x=latency-host&y=macro_f1#explore"
    assert links["size of the .tflite file"] == f"/runs/{RUN}/board?y=drop#explore"


def test_a_variant_is_looked_at_without_a_script(board):
    page = board(at="good").html
    assert text_of(with_class(page, "readout")[0]).startswith("good kept")
    assert [one.get("data-variant") for one in with_class(page, "is-shown")] == ["good", "good"]
    assert links_of(page)["small"] == f"/runs/{RUN}/board?at=small#explore"


def test_names_are_text_wherever_they_stand(store, writer, data):
    first, *others = variants()
    hostile = decision_of([first, *(renamed(one, f"{NASTY}{one.name}") for one in others)])
    writer.run(RUN, data, instead=select_outputs(hostile))
    answer = App(store).get(f"/runs/{RUN}/board?{urlencode({'at': NASTY + 'good'})}")
    assert answer.status == 200
    assert "<img src=x" not in answer.text
    assert not [one for one in answer.html.iter("img") if one.get("src") == "x"]
    assert text_of(with_class(answer.html, "readout")[0]).startswith("<img src=x onerror=alert(1)>")


def test_a_page_needs_no_style_and_no_script_of_its_own(board):
    assert not re.search(r"\sstyle=|\son\w+=|<style|<script>", board(drop="0.01").text)


def test_a_run_that_chose_nothing_says_so(store, writer, data):
    writer.run(
        "digits-1", data, instead=select_outputs(decision_of(budgets=Budgets("accuracy", 0)))
    )
    answer = App(store).get("/runs/digits-1/board")
    assert told(answer) == "Nothing won at drop 0.000"
    assert "Nothing keeps every budget" in answer.text


def test_no_such_run(board, store):
    board()
    for run in ("digits-9", "..%2f..%2fetc", "digits-1%00"):
        assert App(store).get(f"/runs/{run}/board").status in {400, 404}


def test_the_budgets_of_these_tests_bind():
    assert decision_of().winner == "small"
    assert BUDGETS.size_bytes == 100_000


def on_two_devices(**changes):
    """Variants on this machine and on a phone, which ranks the two students the other way round."""
    teacher, good, small = variants()
    swap = {"teacher": 90.0, "good": 3.0, "small": 7.0}
    made = []
    for one in (teacher, good, small):
        host = replace(one.latency["host"], load_ms=4.0, load_high_ms=5.0)
        p50 = around(swap[one.name], 0.1)
        phone = replace(host, p50_ms=p50, peak_memory_bytes=2_000_000, load_high_ms=50.0)
        made.append(replace(one, latency={"host": host, "s21": phone}))
    budgets = Budgets("accuracy", 0.02, 0.1, 10.0, load_ms=60.0, by_device={"s21": changes})
    decision = decision_of(made, budgets)
    machines = dict.fromkeys(("host", "s21"), decision.devices["host"])
    ranking = ranking_differences(decision.variants, decision.winner)
    return replace(decision, devices=machines, ranking_differences=ranking)


def fields_of(answer):
    """The fields of budgets, each with its value."""
    form = with_class(answer.html, "dials")[0]
    return {one.get("name"): one.get("value") for one in form.iter("input") if one.get("id")}


@pytest.fixture
def two(store, writer, data):
    """Ask for the leaderboard of a run whose variants two devices timed."""
    writer.run(RUN, data, instead=select_outputs(on_two_devices(latency_ms=8.0, memory_mb=3.0)))
    app = App(store)
    return lambda **query: app.get(f"/runs/{RUN}/board?{urlencode(query)}")


def test_there_is_a_dial_for_every_budget_that_was_measured(two):
    assert fields_of(two()) == {
        "size_kb": "100", "latency_ms": "10", "s21_latency_ms": "8", "load_ms": "60",
        "s21_memory_mb": "3", "drop": "0.02", "floor_accuracy": "",
    }  # fmt: skip
    assert told(two()) == (
        "small wins at 10 ms, 60 ms load, 100 kB, drop 0.020, on s21 8 ms and 3 MB peak memory"
    )


@pytest.mark.parametrize(
    ("query", "limits"),
    [
        ({"load_ms": "40"}, {"load_ms": 40.0}),
        ({"load_ms": ""}, {"load_ms": None}),
        ({"s21_latency_ms": "5"}, {"by_device": {"s21": {"latency_ms": 5.0, "memory_mb": 3.0}}}),
        ({"s21_latency_ms": "", "latency_ms": "4"},
         {"latency_ms": 4.0, "by_device": {"s21": {"memory_mb": 3.0}}}),
        ({"s21_memory_mb": "1"}, {"by_device": {"s21": {"latency_ms": 8.0, "memory_mb": 1.0}}}),
    ],
)  # fmt: skip
def test_moved_budgets_of_devices_are_judged_as_select_judges(two, query, limits):
    decision = on_two_devices(latency_ms=8.0, memory_mb=3.0)
    budgets = replace(decision.budgets, **limits)
    choice = choose(decision.variants, budgets, reference="teacher")
    answer = two(**query)
    assert told(answer).startswith(f"{choice.winner or 'Nothing'} would win at ")
    assert links_of(answer.html)["Back to the budgets of the run"] == f"/runs/{RUN}/board#explore"


@pytest.mark.parametrize("query", [{"s21_latency_ms": "0"}, {"load_ms": "-1"}, {"load_ms": "x"}])
def test_what_is_no_budget_of_a_device_is_refused(two, query):
    answer = two(**query)
    assert answer.status == 409
    assert next(iter(query)) in text_of(answer.html.find(".//h1"))


def test_dragging_along_a_device_moves_the_budget_that_counts_there(two):
    for axis, field in (("latency-host", "latency_ms"), ("latency-s21", "s21_latency_ms")):
        stage = with_class(two(x=axis).html, "stage")[0]
        assert stage.get("data-along-field") == field


def test_pages_say_where_devices_rank_variants_differently(two):
    decision = on_two_devices(latency_ms=8.0, memory_mb=3.0)
    report = leaderboard_page(decision, ReportMaterial((), {}))
    for page in (text_of(two().html), text_of(parsed(report))):
        assert "Between host and s21, 1 pair of variants changes places for certain" in page
        assert "small, good" in page
        assert "small is faster" in page
        assert "good is faster" in page
    alike = replace(decision, ranking_differences=())
    text = text_of(parsed(leaderboard_page(alike, ReportMaterial((), {}))))
    assert "Between host and s21, no two variants change places for certain." in text
    alone = leaderboard_page(decision_of(), ReportMaterial((), {}))
    assert "Where devices rank differently" not in alone


def test_every_budget_is_a_column_a_tile_and_a_line_in_the_picture():
    decision = on_two_devices(latency_ms=8.0, memory_mb=3.0)
    page = leaderboard_page(decision, ReportMaterial((), {}))
    text = text_of(parsed(page))
    assert "s21, budget 3 MB" in text
    assert "s21, budget 60 ms" in text
    assert "Load on s21" in text
    assert "budget 60 ms" in text
    assert "the slowest process" in text
    assert "60 ms load on every device; on s21 8 ms median latency and 3 MB peak memory" in text
    assert text.count("budget 8 ms") >= 2  # for desks and for phones
    assert text.count("budget 10 ms") >= 2
