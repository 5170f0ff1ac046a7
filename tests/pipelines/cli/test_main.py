"""The command line: help without weight, exit codes, JSON alone on standard output."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from components import COMPONENTS
from pipelines.cli.main import main
from tests.pipelines.cli.command_line import ROOT, TINY, python, slimline

COMMANDS = (
    *("run", "explain", "compile", "sync", "schedule", "show", "runs", "logs", "init"),
    *("doctor", "images", "data", "export", "lineage", "affected", "why-changed", "verify"),
    *("devices", "releases", "promote", "rollback", "gc", "erase", "index", "suggest"),
    *("watch", "triggers", "tick", "cancel", "serve"),
)
FRAMEWORKS = (
    *("tensorflow", "tf_keras", "keras", "tensorflow_model_optimization", "ai_edge_litert"),
    "litert_quantizer",
    *("kfp", "docker", "google.cloud", "google.api_core", "google.auth", "google.protobuf"),
    *("sklearn", "matplotlib", "PIL"),
)


# weight ----------------------------------------------------------------------------------------

HELP = """
import contextlib, io, json, sys
from pipelines.cli.main import main
for command in ((), *((name,) for name in sys.argv[1:])):
    with contextlib.redirect_stdout(io.StringIO()):
        main([*command, "--help"])
print(json.dumps(sorted(sys.modules)))
"""


def test_help_loads_nothing_that_takes_time() -> None:
    loaded = set(json.loads(python(HELP, *COMMANDS)))
    assert "pipelines.cli.main" in loaded
    assert not loaded & {
        "pydantic",
        "numpy",
        "rich",
        "yaml",
        "pipelines.config.loading",
        *FRAMEWORKS,
    }


EVERYTHING = """
import json, pathlib, sys
import pipelines.cli.main, pipelines.launch.launching, pipelines.launch.explaining, pipelines.cli.tables, pipelines.runs.leaderboard, pipelines.cli.machine_check
import pipelines.engines.kubeflow.ir.compiling, pipelines.engines.kubeflow.bucket.image_digests
from components import COMPONENTS
from components.contract.interface import (interface_of)
from pipelines.compress import graph_of
from pipelines.config.loading import load
from tests.pipelines.cli.command_line import ROOT, TINY, python, slimline
for name in COMPONENTS:
    interface_of(name)
assert graph_of(load(pathlib.Path(sys.argv[1]))).ordered
print(json.dumps(sorted(sys.modules)))
"""


def test_configuration_graph_and_interfaces_load_no_framework() -> None:
    example = ROOT / "pipelines" / "examples" / "digits.yaml"
    loaded = set(json.loads(python(EVERYTHING, str(example))))
    assert {f"components.{name}" for name in COMPONENTS} < loaded
    assert not loaded & set(FRAMEWORKS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_a_command_does(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: slimline {command}")
    assert len(text.splitlines()) > 4


@pytest.mark.parametrize("command", ["promote", "rollback", "gc", "erase"])
def test_help_says_what_is_changed(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert "\n\nchanges: " in capsys.readouterr().out


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    listed = re.findall(r"^ {4}([a-z-]+)(?= |$)", text, re.MULTILINE)
    assert sorted(listed) == sorted(COMMANDS)
    assert "exit codes:" in text


# faults ----------------------------------------------------------------------------------------


def test_a_fault_of_the_user_is_one_message_and_code_2(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(TINY.read_text().replace("teacher:", "techer:"))
    done = slimline("run", path, cwd=tmp_path, check=2)
    assert done.stdout == ""
    what, fix = done.stderr.splitlines()
    assert what.startswith(f"error: {path}:")
    assert "there is no key 'techer'" in what
    assert fix.startswith("fix: did you mean 'teacher'?")
    assert sorted(tmp_path.iterdir()) == [path], "nothing is written"


def test_compile_refuses_files_of_this_machine_before_it_writes(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    section = "kubeflow: {pipeline_root: gs://bucket/pipelines, images: registry.example/me}\n"
    path.write_text(TINY.read_text() + section)
    done = slimline("compile", path, "-o", tmp_path / "pipeline.yaml", cwd=tmp_path, check=2)
    assert "package:sklearn/datasets/data/digits.csv.gz is on this machine" in done.stderr
    assert "fix: gcloud storage cp -r /" in done.stderr
    assert sorted(tmp_path.iterdir()) == [path]


def test_with_json_a_fault_is_the_document(tmp_path: Path) -> None:
    done = slimline("run", tmp_path / "none.yaml", "--json", cwd=tmp_path, check=2)
    error = json.loads(done.stdout)["error"]
    assert "there is no configuration" in error["what"]
    assert error["fix"].startswith("write one with: slimline init")
    assert done.stderr.startswith("error: there is no configuration")


@pytest.mark.parametrize("command", ["run", "explain"])
@pytest.mark.parametrize("data", ["no-such-folder", "empty"])
def test_missing_and_empty_data(tmp_path: Path, command: str, data: str) -> None:
    (tmp_path / "empty").mkdir()
    done = slimline(
        command, TINY, "--data", data, "--store", tmp_path / "store", cwd=tmp_path, check=2
    )
    assert data in done.stderr
    assert done.stderr.splitlines()[-1].startswith("fix: ")
    assert not (tmp_path / "store" / "runs").exists()


def test_an_engine_that_is_none(tmp_path: Path) -> None:
    done = slimline("run", TINY, "--engine", "locl", "--store", tmp_path, cwd=tmp_path, check=2)
    assert "there is no engine 'locl'" in done.stderr
    assert "did you mean 'local'?" in done.stderr


@pytest.mark.parametrize("command", [("show",), ("runs",), ("logs", "latest", "train")])
def test_no_store(tmp_path: Path, command: Sequence[str]) -> None:
    done = slimline(*command, cwd=tmp_path, check=2)
    assert "there is no store ./slimline-store" in done.stderr
    assert "--store" in done.stderr
    (tmp_path / "slimline-store").mkdir()
    if command != ("runs",):
        assert "holds no run yet" in slimline(*command, cwd=tmp_path, check=2).stderr


def test_no_command_and_a_wrong_one() -> None:
    assert slimline(check=2).stderr.startswith("usage: slimline")
    assert "invalid choice: 'rn'" in slimline("rn", check=2).stderr
