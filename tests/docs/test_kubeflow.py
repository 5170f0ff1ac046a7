"""The guide to clusters: its commands parse, its configurations load, its Python compiles and runs."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipelines.cli.main import parser
from pipelines.config.loading import load

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/kubeflow.md").read_text()
TINY = ROOT / "tests" / "data" / "tiny.yaml"
PROGRAMS = {"gcloud", "kubectl", "slimline", "pip", "export"}
ACTIONS = ("add", "list", "pause", "resume", "remove")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def commands() -> list[list[str]]:
    return [shlex.split(line) for block in blocks("sh") for line in block.splitlines() if line]


def test_every_line_is_a_command_of_a_program_that_the_guide_names() -> None:
    assert {words[0] for words in commands()} == PROGRAMS


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_commands_of_slimline_parse(words: list[str]) -> None:
    if words[0] != "slimline":
        assert words[1:], "a command of another program, which nothing here can check"
        return
    arguments = parser().parse_args(words[1:], argparse.Namespace(given=words[1:]))
    assert callable(arguments.command)
    cron = getattr(arguments, "cron", None)
    if cron:
        from pipelines.engines.kubeflow.cron import parse, zone

        assert parse(cron).six == f"0 {cron}"
        assert zone(arguments.zone)


def test_every_command_about_a_cluster_is_in_the_guide() -> None:
    said = {tuple(words[1:3]) for words in commands() if words[0] == "slimline"}
    assert {("schedule", action) for action in ACTIONS} <= said
    assert {"compile", "run", "sync", "show", "images"} <= {first for first, *_ in said}


def test_configurations_load(tmp_path: Path) -> None:
    sections = [value for block in blocks("yaml") if "kubeflow" in (value := yaml.safe_load(block))]
    assert len(sections) == 2
    for section in sections:
        path = tmp_path / "guide.yaml"
        path.write_text(yaml.safe_dump({**yaml.safe_load(TINY.read_text()), **section}))
        settings = load(path).kubeflow
        assert settings
        assert settings.pipeline_root == "gs://my-bucket/pipelines"


def test_other_yaml_is_what_kubernetes_reads() -> None:
    others = [
        value for block in blocks("yaml") if "kubeflow" not in (value := yaml.safe_load(block))
    ]
    assert [min(value) for value in others] == ["kubeletConfig", "apiVersion"]
    assert others[1]["kind"] == "ResourceQuota"


@pytest.mark.parametrize("code", blocks("python"))
def test_python_compiles(code: str) -> None:
    ast.parse(code)


def test_the_estimate_of_the_cost_runs(tmp_path: Path) -> None:
    from pipelines.runs.records import RunRecord, put_finished
    from pipelines.stores.opening import open_store

    (code,) = [block for block in blocks("python") if "CORE_HOUR" in block]
    store = open_store(str(tmp_path / "slimline-store"))
    record = '{"predicate":{"buildDefinition":{"internalParameters":{"component":"train"}}}}'
    store.put_if_absent("runs/r/steps/train.json", record.encode())
    step = {"state": "done", "record": "runs/r/steps/train.json", "wall_s": 3600.0}
    now = "2026-06-01T00:00:00.000+00:00"
    run = RunRecord(
        run="r", name="faces", config_digest="", graph_digest="", engine="kubeflow", started=now,
        finished=now, outcome="done", budgets={}, sources={}, wall_s=1.0, critical_path_s=1.0,
        steps={"train": step, "select": {"state": "skipped"}},
    )  # fmt: skip
    put_finished(store, run)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "0.66\n"  # 7 cores, 26 GB and a GPU for an hour


def test_it_says_plainly_what_has_not_been_tried() -> None:
    assert "No command in this guide has met a real cluster." in GUIDE
    assert "have been run by nobody here" in GUIDE
    assert "does not read Vertex's runs" in GUIDE
