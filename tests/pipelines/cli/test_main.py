"""The command line: help without weight, exit codes, JSON alone on standard output."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from components import COMPONENTS
from pipelines.cli.main import main
from pipelines.config.loading import load

ROOT = Path(__file__).parents[3]
TINY = ROOT / "tests" / "data" / "tiny.yaml"
COMMANDS = (
    *("run", "explain", "compile", "sync", "schedule", "show", "runs", "logs", "init"),
    *("doctor", "images"),
)
FRAMEWORKS = (
    *("tensorflow", "tf_keras", "keras", "tensorflow_model_optimization", "ai_edge_litert"),
    *("kfp", "docker", "google.cloud", "google.api_core", "google.auth", "google.protobuf"),
    *("sklearn", "matplotlib", "PIL"),
)


def python(code: str, *arguments: str) -> str:
    """Run code in a fresh interpreter and return what it printed."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def slimline(
    *arguments: str | Path, cwd: Path = ROOT, check: int | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        check=False,
    )
    if check is not None:
        assert done.returncode == check, done.stderr
    return done


# weight ----------------------------------------------------------------------------------------

HELP = """
import contextlib, io, json, sys
from pipelines.cli.main import main
for command in ((), *((name,) for name in sys.argv[1:])):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
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
import pipelines.engines.kubeflow.ir.compiling, pipelines.engines.kubeflow.image_digests
from components import COMPONENTS
from components.contract.interface import (interface_of)
from pipelines.compress import graph_of
from pipelines.config.loading import load
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
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: slimline {command}")
    assert len(text.splitlines()) > 4


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for command in COMMANDS:
        assert f"\n    {command} " in text
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


def test_a_reader_that_has_had_enough(tmp_path: Path) -> None:
    (tmp_path / "slimline-store").mkdir()
    read, write = os.pipe()
    os.close(read)
    process = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "doctor"],
        cwd=ROOT,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert process.stderr == ""
    assert process.returncode == 141


@pytest.mark.parametrize(
    ("command", "unbuffered"),
    [
        (("doctor",), ""),
        (("doctor",), "1"),
        (("show", "x", "--json"), ""),
        (("show", "x" * 100_000, "--json"), ""),  # more than a buffer holds
        (("--help",), ""),
    ],
)
def test_standard_output_that_is_full(
    tmp_path: Path, command: Sequence[str], unbuffered: str
) -> None:
    (tmp_path / "slimline-store").mkdir()
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pipelines.cli", *command],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: standard output cannot be written: No space left on device",
        "fix: make room where it goes, or send it elsewhere",
    ]


def test_standard_streams_that_are_closed(tmp_path: Path) -> None:
    program = f"{sys.executable} -m pipelines.cli explain {TINY} --store st <&- >&- 2>&-"
    done = subprocess.run(
        ["/bin/sh", "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 0
    database = (tmp_path / ".cache/slimline/checksums.sqlite").read_bytes()
    assert database.startswith(b"SQLite format 3")


def test_text_that_standard_output_cannot_encode(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    for command in (("init", "ü.yaml"), ("explain", "ä.yaml", "--json")):
        done = subprocess.run(
            [sys.executable, "-m", "pipelines.cli", *command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            check=False,
        )
        assert b"Traceback" not in done.stderr
    assert "ä.yaml" in json.loads(done.stdout)["error"]["what"]


# small commands ---------------------------------------------------------------------------------


def test_init_writes_a_configuration_that_is_valid(tmp_path: Path) -> None:
    done = slimline("init", "My Faces.yaml", cwd=tmp_path, check=0)
    assert "slimline run" in done.stdout
    path = tmp_path / "My Faces.yaml"
    assert load(path).name == "my-faces"
    path.write_text("mine")
    again = slimline("init", "My Faces.yaml", cwd=tmp_path, check=2)
    assert "there is a My Faces.yaml already" in again.stderr
    assert path.read_text() == "mine"
    assert "cannot be written" in slimline("init", "no/c.yaml", cwd=tmp_path, check=2).stderr


def test_what_init_comments_out_is_valid_too(tmp_path: Path) -> None:
    slimline("init", "c.yaml", cwd=tmp_path, check=0)
    text = (tmp_path / "c.yaml").read_text()
    teacher = next(line for line in text.splitlines() if line.startswith("teacher:"))
    for key in ("split", "limits", "teacher"):
        commented = f"# {key}: {{"
        assert commented in text
        (tmp_path / "c.yaml").write_text(
            text.replace(teacher, "" if key == "teacher" else teacher).replace(
                commented, commented[2:]
            )
        )
        load(tmp_path / "c.yaml")


def test_doctor(tmp_path: Path) -> None:
    done = slimline("doctor", "--json", "--store", tmp_path / "new" / "store", check=0)
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert {"python", "train", "device", "memory", "disk", "store"} <= findings.keys()
    assert "tensorflow 2." in findings["train"]["text"]
    assert not (tmp_path / "new").exists(), "doctor only looks"


def test_doctor_says_nothing_of_a_bucket_that_it_has_not_seen() -> None:
    done = slimline("doctor", "--store", "gs://bucket/x", check=0)
    assert "note   store      gs://bucket/x is not on this machine" in done.stdout


def test_doctor_finds_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = slimline("doctor", "--store", tmp_path / "file" / "store", check=2)
    assert "lacks  store" in done.stdout
    assert "--store" in done.stdout


def test_ctrl_c_ends_a_run_in_order(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "pipelines.cli",
            "run",
            str(TINY),
            "--store",
            str(tmp_path / "st"),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    for line in process.stderr:
        if "started" in line:
            break
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "cancelled; what is done is kept, go on with: slimline run" in said
    assert "Traceback" not in said
    listed = slimline("runs", "--store", tmp_path / "st", "--json", check=0)
    assert [run["outcome"] for run in json.loads(listed.stdout)["runs"]] == ["cancelled"]


# a run, seen from outside -----------------------------------------------------------------------


def written(path: Path, **changes: object) -> Path:
    """Write the smallest configuration that trains only once, with these changes."""
    plain = yaml.safe_load(TINY.read_text())
    plain["variants"] = {"teacher-int8": [{"quantize": {"scheme": "int8"}}]}
    path.write_text(yaml.safe_dump({**plain, **changes}, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("cli")
    path = written(folder / "tiny.yaml")
    done = slimline("run", path, "--store", "st", "--json", cwd=folder)
    assert done.returncode in (0, 3), done.stderr
    return folder, done


def test_run_prints_one_document(ran: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, done = ran
    document = json.loads(done.stdout)
    assert document["outcome"] == "done"
    # On a busy machine no measurement is believed, so nothing can win: an answer all the same.
    assert done.returncode == (0 if document["winner"] else 3)
    assert document["winner"] in ("teacher-int8", None)
    assert [variant["name"] for variant in document["variants"]] == ["teacher", "teacher-int8"]
    assert document["sealed"]["times_opened"] == 1
    released = folder / document["exported"]
    assert (released / "report.html").is_file()
    assert (released / "model.tflite").is_file() == (document["winner"] is not None)
    assert " done " in done.stderr, "progress goes to standard error"
    shown = json.loads(slimline("show", "--store", "st", "--json", cwd=folder, check=0).stdout)
    assert shown == {**document, "exported": None}


def test_what_was_run_can_be_looked_at(
    ran: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = ran
    document = json.loads(done.stdout)
    run = document["run"]
    assert run in slimline("runs", "--store", "st", cwd=folder, check=0).stdout
    listed = json.loads(slimline("runs", "--store", "st", "--json", cwd=folder, check=0).stdout)
    assert [item["run"] for item in listed["runs"]] == [run]
    text = slimline("show", run, "--store", "st", cwd=folder, check=0).stdout
    assert f"winner: {document['winner'] or document['reason']}" in text
    for variant in document["variants"]:
        assert variant["name"] in text
    slimline("logs", run, "train", "--store", "st", cwd=folder, check=0)
    done = slimline("logs", run, "trian", "--store", "st", cwd=folder, check=2)
    assert "did you mean 'train'?" in done.stderr
    done = slimline("show", run[:-1], "--store", "st", cwd=folder, check=2)
    assert f"did you mean '{run}'?" in done.stderr


def test_impossible_budgets_are_a_result_with_code_3(
    ran: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    folder, _ = ran
    budgets = {**yaml.safe_load(TINY.read_text())["budgets"], "size_mb": 0.000001}
    path = written(tmp_path / "impossible.yaml", budgets=budgets)
    explained = json.loads(
        slimline("explain", path, "--store", "st", "--json", cwd=folder, check=0).stdout
    )
    states = {item["step"]: item for item in explained["steps"]}
    assert states["train"]["state"] == "cached"
    assert states["select"]["changed"] == ["parameters.size_mb"]
    assert states["publish"]["upstream"] == "select"
    done = slimline("run", path, "--store", "st", "--output", tmp_path / "out", cwd=folder, check=3)
    assert "no winner" in done.stdout
    assert "(missed by " in done.stdout
