"""``schedule add``, ``watch add``, ``triggers`` and ``tick``: what people type, see and get wrong."""

import json
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.cli.main import main
from pipelines.runs.kept.kept_sources import read_source
from pipelines.runs.records import RunRecord, list_runs, put_finished
from pipelines.stores.opening import open_store
from pipelines.triggers.kept import read_trigger, trigger_names
from pipelines.triggers.launches import end, launches, reserve
from pipelines.triggers.ticks import read_ticks
from tests.pipelines.waiting import finished_within

CONFIG = """\
name: tiny
task: verification
data: ./data
image: {height: 8, width: 8, channels: 1}
split: {by: image}
teacher: {backbone: conv, alpha: 0.5, embedding: 8, epochs: 1}
variants: {a: [{distill: {backbone: conv, alpha: 0.25, epochs: 1}}]}
budgets: {size_mb: 1, latency_ms: 50, metric: auc, drop: 0.9}
threads: 1
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    for label in range(6):
        (tmp_path / "data" / f"c{label}").mkdir(parents=True)
        for number in range(40):
            pixels = draw.integers(0, 60, (8, 8)) + np.arange(64).reshape(8, 8) * label // 2
            image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
            image.save(tmp_path / "data" / f"c{label}" / f"{number}.png")
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    return tmp_path


def slimline(text, code=0):
    assert main(shlex.split(text)) == code


def document(capsys, text):
    capsys.readouterr()
    slimline(f"{text} --json")
    return json.loads(capsys.readouterr().out)


def test_a_schedule_from_its_beginning_to_its_end(capsys):
    slimline("schedule add tiny.yaml --cron '30 3 * * mon-fri' --zone Europe/Berlin --name nightly")
    told, said = capsys.readouterr()
    assert f"slimline tick --store {open_store('slimline-store').uri}" in said
    assert "nightly: schedule on the engine local" in told
    assert len(re.findall(r"next: \d{4}-\d\d-\d\dT03:30:00\+0[12]:00", told)) == 5
    slimline("tick nightly")
    assert "nightly: nothing: next at" in capsys.readouterr().out
    slimline("triggers pause nightly --reason 'the holidays'")
    assert "paused: the holidays, by" in capsys.readouterr().out
    slimline("tick")
    assert "paused" in capsys.readouterr().out
    slimline("schedule resume nightly")
    (one,) = document(capsys, "triggers list")["triggers"]
    assert (one["paused"], len(one["next"]), one["overdue"]) == ("", 5, "")
    assert "config" not in one
    (row,) = document(capsys, "triggers history nightly")["ticks"]
    assert (row["what"], row["count"]) == ("nothing", 1)
    slimline("schedule remove nightly")
    slimline("schedule list")
    assert "no triggers" in capsys.readouterr().out.splitlines()[-1]


def test_adding_again_changes_when_and_keeps_what_was_launched(capsys):
    slimline("schedule add tiny.yaml --cron '30 3 * * *'")
    before = read_trigger(open_store("slimline-store"), "tiny")
    slimline("schedule add tiny.yaml --cron '0 5 * * *'")
    after = read_trigger(open_store("slimline-store"), "tiny")
    assert (before.uid, after.schedule.cron) == (after.uid, "0 5 * * *")
    assert capsys.readouterr()


def test_a_watch_says_what_it_waits_for_and_what_a_tick_would_do(capsys):
    slimline("watch add tiny.yaml --when images:200 --when age:30d --at-most 1/24h")
    said = capsys.readouterr()
    assert "quiet for 10m; trains on images:200, age:30d" in said.out
    assert "--marker" in said.err
    slimline("triggers test tiny")
    assert "seen so 1 of 3 times" in capsys.readouterr().out
    slimline("triggers history tiny")
    assert "nobody has evaluated tiny yet" in capsys.readouterr().out
    slimline("watch add tiny.yaml --marker _SUCCESS")
    assert "--marker" not in capsys.readouterr().err


def test_a_watch_of_data_that_is_not_there_is_not_kept(capsys, folder):
    (folder / "data").rename(folder / "gone")
    slimline("watch add tiny.yaml --quiet 1s", code=2)
    assert "there is no" in capsys.readouterr().err
    assert not trigger_names(open_store("slimline-store"))


def test_a_tick_that_is_due_runs_and_tells_whoever_is_to_know(capsys, folder):
    script = folder / "told.sh"
    script.write_text(f"#!/bin/sh\ncat >> {folder}/told.jsonl\necho >> {folder}/told.jsonl\n")
    script.chmod(0o755)
    slimline("watch add tiny.yaml --marker _SUCCESS")
    (folder / "data" / "_SUCCESS").write_bytes(b"")
    slimline(f"tick --notify '{script}'")
    assert "tiny: launch: first data: 240 files: done" in capsys.readouterr().out
    (told,) = [json.loads(line) for line in (folder / "told.jsonl").read_text().split("\n") if line]
    assert (told["event"], told["trigger"]) == ("candidate", "tiny")
    shown = document(capsys, "triggers show tiny")["triggers"][0]
    assert [one["state"] for one in shown["launches"]] == ["done"]
    assert told["run"] in shown["launches"][0]["runs"]
    slimline("tick")
    assert f"trained as run {told['run']}" in capsys.readouterr().out
    slimline("runs")
    assert told["run"] in capsys.readouterr().out


@pytest.mark.slow
def test_folders_that_are_whole_train_and_the_others_are_left_out_and_named(capsys, folder):
    slimline("watch add tiny.yaml --marker _SUCCESS --settle folder")
    assert "marker _SUCCESS, each folder by itself; trains on" in capsys.readouterr().out
    for label in range(5):
        (folder / "data" / f"c{label}" / "_SUCCESS").write_bytes(b"")
    slimline("tick")
    told = capsys.readouterr().out
    assert "launch: first data: 200 files; left out, perhaps being written: c5: done" in told
    (tick,) = document(capsys, "triggers history tiny")["ticks"]
    assert "left out, perhaps being written: c5" in tick["why"]
    one = document(capsys, "triggers show tiny")["triggers"][0]
    assert one["watch"]["settle"] == "folder"
    (run,) = list_runs(open_store("slimline-store"))
    listed = read_source(open_store("slimline-store"), run.sources["data"])
    assert {file.name.split("/")[0] for file in listed.files} == {f"c{n}" for n in range(5)}
    assert run.outcome == "done"


def test_a_list_of_images_has_no_folders_that_are_whole_by_themselves(capsys, folder):
    (folder / "list.csv").write_text("file,label\n" + "".join(
        f"data/c0/{n}.png,{'ab'[n % 2]}\n" for n in range(40)
    ))  # fmt: skip
    text = (folder / "tiny.yaml").read_text()
    (folder / "tiny.yaml").write_text(re.sub(r"(?m)^data: .*$", "data: list.csv", text))
    slimline("watch add tiny.yaml --settle folder", code=2)
    assert "fix: watch it with --settle all" in capsys.readouterr().err
    slimline("watch add tiny.yaml --settle all")
    assert "any change" in capsys.readouterr().out


def test_a_command_that_is_not_there_ends_nothing(capsys, folder):
    slimline("watch add tiny.yaml --quiet 1s")
    (folder / "data").rename(folder / "gone")
    slimline("tick --notify ./no-such-command", code=2)
    said = capsys.readouterr().err
    assert "was not told of error" in said
    assert "fix:" in said


@pytest.mark.parametrize(
    "wrong",
    [
        "schedule add tiny.yaml --cron '61 3 * * *'",
        "schedule add tiny.yaml --cron '30 3 * * *' --catch-up all",
        "schedule add tiny.yaml --cron '30 3 * * *' --concurrency 3",
        "schedule add tiny.yaml --cron '30 3 * * *' --native",
        "schedule add tiny.yaml --cron '30 3 * * *' --engine loca",
        "schedule add tiny.yaml --cron '30 3 * * *' --engine kubeflow",
        "schedule add tiny.yaml --cron '30 3 * * *' --retries 99",
        "schedule add tiny.yaml --cron '30 3 * * *' --host http://x",
        "watch add tiny.yaml --when images",
        "watch add tiny.yaml --marker a/_SUCCESS",
        "watch add tiny.yaml --quiet 10",
        "schedule add tiny.yaml --cron '30 3 * * *' --name a/b",
        "triggers show no-such-trigger",
        "triggers retry tiny",
        "tick no-such-trigger",
    ],
)
def test_what_cannot_be_is_refused_with_a_fix_and_changes_nothing(capsys, wrong):
    slimline("schedule add tiny.yaml --cron '0 5 * * *'")
    before = sorted(open_store("slimline-store").list(""))
    capsys.readouterr()
    slimline(wrong, code=2)
    said = capsys.readouterr()
    assert "fix:" in said.err
    assert "Traceback" not in said.err
    assert sorted(open_store("slimline-store").list("")) == before


def test_a_launch_that_was_left_out_is_found_and_dismissed_ones_are_not_tried_again(capsys):
    slimline("schedule add tiny.yaml --cron '0 5 * * *'")
    store = open_store("slimline-store")
    trigger = read_trigger(store, "tiny")
    end(store, trigger, "20261127T0500Z", "skipped", "missed", "now", "me")
    slimline("triggers show tiny")
    assert "skipped" in capsys.readouterr().out
    slimline("triggers dismiss tiny", code=2)  # it did not fail
    assert "no launch that is dead letter or failed" in capsys.readouterr().err


def test_what_failed_is_tried_again_as_a_tick_says_and_a_fault_is_told(capsys, folder):
    slimline("watch add tiny.yaml --marker _SUCCESS")
    (folder / "data" / "_SUCCESS").write_bytes(b"")
    store = open_store("slimline-store")
    trigger = read_trigger(store, "tiny")
    at = datetime.now(UTC)
    end(store, trigger, "0" * 64, "skipped", "missed", at.isoformat(), "me")
    slimline("triggers retry tiny", code=2)  # without a key nothing that did not fail
    assert "no launch that is dead letter or failed" in capsys.readouterr().err
    attempt = reserve(store, trigger, "f" * 64, 1, at=at, why="w", actor="me")
    record = RunRecord(
        run=attempt.run, name="tiny", config_digest="0" * 64, graph_digest="0" * 64,
        engine="local", started=at.isoformat(), finished=at.isoformat(), outcome="failed",
        budgets={}, steps={}, sources={}, wall_s=0.0, critical_path_s=0.0,
    )  # fmt: skip
    put_finished(store, record)
    (folder / "slimline-out").write_text("a file where release and report go")
    slimline("triggers retry tiny", code=2)  # it failed a moment ago, and now it is refused
    assert "refused" in capsys.readouterr().out


def test_a_tick_that_detaches_leaves_what_is_due_to_a_process_of_its_own(
    capsys, folder, monkeypatch
):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[4]))
    slimline("watch add tiny.yaml --marker _SUCCESS")
    (folder / "data" / "_SUCCESS").write_bytes(b"")
    (folder / "slimline-out").write_text("a file where release and report go")
    capsys.readouterr()
    slimline("tick --detach")
    said = capsys.readouterr().out
    assert "goes on in a process of its own" in said
    store = open_store("slimline-store")
    finished_within(120, lambda: any("refused" in row.why for row in read_ticks(store, "tiny")))
    (launch,) = launches(store, read_trigger(store, "tiny")).values()
    assert launch.state(2) == "failed"
    log = Path(said.split("which writes ")[1].strip())
    finished_within(60, lambda: "put that right: the next tick tries again" in log.read_text())


def test_nobody_uploads_to_a_package(capsys, folder):
    text = CONFIG.replace("./data", "package:numpy/tests")
    (folder / "package.yaml").write_text(text)
    slimline("watch add package.yaml --marker _SUCCESS", code=2)
    assert "nobody uploads to package:numpy/tests" in capsys.readouterr().err


def test_the_command_to_tick_can_be_copied(capsys, folder):
    slimline("schedule add tiny.yaml --cron '0 5 * * *' --store 'a store'")
    command = capsys.readouterr().err.split("started by: slimline ")[1].splitlines()[0]
    slimline(command)
    assert "nothing: next at" in capsys.readouterr().out


def test_history_of_a_day(capsys):
    slimline("schedule add tiny.yaml --cron '0 5 * * *'")
    slimline("tick")
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    for options in ("", "--all", f"--day {today}"):
        (row,) = document(capsys, f"triggers history tiny {options}")["ticks"]
        assert row["what"] == "nothing"
    assert document(capsys, "triggers history tiny --day 2020-01-01")["ticks"] == []
    slimline("triggers history tiny --day yesterday", code=2)
    assert "is no date" in capsys.readouterr().err
