"""Devices that runs measured on."""

from __future__ import annotations

from pathlib import Path

from pipelines.web.settings import ServeSettings
from tests.data.decisions import FACTS, decision_of, select_outputs, variant, variants
from tests.pipelines.web.calling import App, links_of, text_of

TINY = Path(__file__).parents[3] / "data" / "tiny.yaml"


def sections(page):
    """Text of each device, by its heading."""
    return {
        text_of(one.find(".//h2")): text_of(one)
        for one in page.iter("section")
        if one.get("aria-labelledby", "").startswith("device-")
    }


def test_devices_are_told_apart_by_their_fingerprint(store, writer, data):
    writer.run("digits-1", data, instead=select_outputs(decision_of()))
    more = [*variants(), variant("other", 70_000, 0.975, 1.6)]
    writer.run("digits-2", data, instead=select_outputs(decision_of(more)))
    board = decision_of(facts={**FACTS, "cpu": "Other CPU <b>"})
    writer.run("digits-3", data, instead=select_outputs(board))
    answer = App(store).get("/devices")
    found = sections(answer.html)
    assert set(found) == {"Test CPU", "Other CPU <b>"}
    assert "2 runs" in found["Test CPU"]
    assert "2 choices" in found["Test CPU"]
    assert "1 run, " in found["Other CPU <b>"]
    assert "400 µs380 to 420 µs" in found["Test CPU"]


def test_reports_of_benchmark_are_linked_and_answer(store, writer, data):
    (teacher, *_) = variants()
    writer.run("digits-1", data, instead=select_outputs(decision_of([teacher])))
    app = App(store)
    page = app.get("/devices").html
    (link,) = [one for one in links_of(page).values() if one.startswith("/artifacts/")]
    assert app.get(link).status == 200


def test_where_nothing_was_measured_it_says_what_to_do(store):
    answer = App(store).get("/devices")
    assert answer.status == 200
    assert "slimline run CONFIG" in answer.text


def test_devices_of_configurations(store, tmp_path):
    config = tmp_path / "digits.yaml"
    config.write_text("devices: [")
    page = App(store, ServeSettings(store=store.uri, configs=(str(config),))).get("/devices").html
    (row,) = [one for one in page.iter("tr") if one.find("td") is not None]
    assert text_of(row).startswith("digits.yamlsettings: digits.yamlnot readable")
    page = App(store, ServeSettings(store=store.uri, configs=(str(TINY),))).get("/devices").html
    (row,) = [one for one in page.iter("tr") if one.find("td") is not None]
    assert text_of(row).startswith("tinysettings: tiny.yamlhost: processes 1")
