"""Runs beside each other: only what differs, and why."""

from __future__ import annotations

import pytest

from components.artifacts.budgets import Budgets
from tests.data.decisions import BUDGETS, decision_of, select_outputs, variant, variants
from tests.pipelines.web.calling import App, links_of, text_of, with_class


@pytest.fixture
def runs(writer, data):
    """Three runs: the second has another image and chooses otherwise, the third is as that."""
    first = writer.run("digits-1", data, instead=select_outputs(decision_of()))
    (data / "two" / "9.png").write_bytes(b"two 9")
    slow = [*variants()[:2], variant("small", 9_000, 0.94, 0.9)]
    second = writer.run("digits-2", data, instead=select_outputs(decision_of(slow)))
    writer.run("digits-3", data, instead=select_outputs(decision_of(slow)))
    return first, second


def rows_of(page, place):
    """Rows of a table of runs beside each other: name to cells."""
    table = with_class(page, "beside")[place]
    return {
        text_of(row.find("th")): [text_of(cell) for cell in row.iter("td")]
        for row in table.iter("tr")
        if row.find("td") is not None
    }


def test_only_rows_that_differ_are_shown(runs, store):
    page = App(store).get("/compare?run=digits-1&run=digits-2").html
    rows = rows_of(page, 0)
    assert rows["Winner"] == ["small", "good"]
    assert rows["Winner: accuracy"] == ["0.965 (0.961 to 0.969)", "0.975 (0.971 to 0.979)"]
    assert "Engine" not in rows
    assert "Engine" in text_of(page.find(".//details"))
    assert all(len(set(cells)) > 1 for cells in rows.values())


def test_numbers_whose_intervals_are_apart_say_so(runs, store):
    rows = rows_of(App(store).get("/compare?run=digits-1&run=digits-2").html, 1)
    assert rows["small: accuracy, selection images"][1] == "0.940 (0.936 to 0.944) apart"
    assert rows["small: p50 on host"] == ["400 µs (380 to 420 µs)", "900 µs (855 to 945 µs) apart"]
    assert "good: accuracy, selection images" not in rows


def test_neighbours_say_why_they_differ_and_lead_to_their_data(runs, store):
    first, second = runs
    app = App(store)
    page = app.get("/compare?run=digits-3&run=digits-1&run=digits-2").html
    heads = [text_of(one) for one in page.iter("h2") if one.get("id", "").startswith("pair")]
    assert heads[0].startswith("A to B: ")
    assert "data" in heads[0]
    assert heads[1] == "B to C: nothing differs that the records tell of"
    link = links_of(page)["The difference of their data, with images"]
    before, now = (one.record.sources["data"] for one in (first, second))
    assert link == f"/data/{before}/against/{now}"
    assert app.get(link).status == 200


def test_pareto_pictures_lie_over_each_other(runs, store):
    page = App(store).get("/compare?run=digits-1&run=digits-2&x=latency-host").html
    picture = with_class(page, "picture")[0]
    assert text_of(picture.find("title")) == "accuracy against latency on host of 6 variants"
    assert len(with_class(picture, "series-a")) >= 3
    assert len(with_class(picture, "series-b")) >= 3


def test_a_run_that_counts_another_metric_is_left_out_of_the_picture(store, writer, data):
    writer.run("digits-1", data, instead=select_outputs(decision_of()))
    other = decision_of(budgets=Budgets("macro_f1", BUDGETS.drop))
    writer.run("digits-2", data, instead=select_outputs(other))
    answer = App(store).get("/compare?run=digits-1&run=digits-2")
    assert "Not drawn: A, which chose nothing or count another metric." in text_of(answer.html)


def test_two_to_eight_runs(runs, store):
    app = App(store)
    assert app.get("/compare?run=digits-1&run=digits-9").status == 404
    assert app.get("/compare?" + "&".join(f"run=r{n}" for n in range(9))).status == 409
    for address in ("/compare", "/compare?run=digits-1", "/compare?run=digits-1&run=digits-1"):
        page = app.get(address).html
        boxes = [one for one in page.iter("input") if one.get("name") == "run"]
        assert [one.get("value") for one in boxes] == ["digits-3", "digits-2", "digits-1"]
        checked = [one.get("value") for one in boxes if one.get("checked") is not None]
        assert checked == (["digits-1"] if "run=" in address else [])
    again = app.get("/compare?run=digits-1&run=digits-2&pick=1").html
    assert sum(one.get("checked") is not None for one in again.iter("input")) == 2


def test_an_axis_that_there_is_not_is_the_size(runs, store):
    page = App(store).get("/compare?run=digits-1&run=digits-2&x=%3Cscript%3E").html
    assert text_of(with_class(page, "picture")[0].find("title")) == (
        "accuracy against size of 6 variants"
    )
