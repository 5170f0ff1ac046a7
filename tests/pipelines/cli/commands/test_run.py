"""`slimline run` seen from outside."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
import yaml

from pipelines.cli.main import main
from pipelines.runs.releases.release_log import read_log
from pipelines.stores.directory import DirectoryStore
from tests.pipelines.cli.command_line import ROOT, TINY, slimline, written

Ran: TypeAlias = tuple[Path, subprocess.CompletedProcess[str]]
Opens: TypeAlias = Callable[..., int]

COMMAND = (sys.executable, "-m", "pipelines.cli")


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


def test_run_prints_one_document(ran: Ran) -> None:
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


def test_what_became_of_the_images_is_said_everywhere(
    ran: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = ran
    document = json.loads(done.stdout)
    summary = "240 of 1,797 images are used; left out: 1,557 subset"
    assert document["images"]["used"] == 240
    assert document["images"]["warnings"] == []  # a subset was asked for
    assert summary in done.stderr, "the progress says it as soon as it is known"
    for command in (("show",), ("explain", "tiny.yaml"), ("logs", "latest", "ingest"), ("data",)):
        assert summary in slimline(*command, "--store", "st", cwd=folder, check=0).stdout, command
    assert summary in (folder / document["exported"] / "report.html").read_text()
    card = folder / document["exported"] / "card.md"
    assert not document["winner"] or summary in card.read_text()
    listed = json.loads(slimline("data", "--store", "st", "--json", cwd=folder, check=0).stdout)
    assert listed["run"] == document["run"]
    assert (listed["images"], listed["used"], len(listed["items"])) == (1797, 240, 1557)
    assert listed["items"][0]["kind"] == "subset"
    explained = slimline("explain", "tiny.yaml", "--store", "st", "--json", cwd=folder, check=0)
    assert json.loads(explained.stdout)["images"] == document["images"]
    done = slimline("data", "--reason", "subst", "--store", "st", cwd=folder, check=2)
    assert "did you mean 'subset'?" in done.stderr
    done = slimline("data", "--reason", "subset", "--store", "st", cwd=folder, check=0)
    assert "beyond the 240 images asked for" in done.stdout


def test_impossible_budgets_are_a_result_with_code_3(ran: Ran, tmp_path: Path) -> None:
    folder, _ = ran
    budgets = {**yaml.safe_load(TINY.read_text())["budgets"], "size_mb": 0.000001}
    path = written(tmp_path / "impossible.yaml", budgets=budgets)
    done = slimline("run", path, "--store", "st", "--output", tmp_path / "out", cwd=folder, check=3)
    assert "no winner" in done.stdout
    assert "(missed by " in done.stdout


def closed() -> int:
    """Return the end of a pipe that nobody reads any more."""
    read, write = os.pipe()
    os.close(read)
    return write


def full() -> int:
    """Return a file on a disk that is full."""
    return os.open("/dev/full", os.O_WRONLY)


@pytest.mark.parametrize(
    ("open_out", "open_error", "code"),
    [
        (closed, closed, 141),
        (os.dup, closed, 141),
        (closed, os.dup, 141),
        (os.dup, full, 0),
        (full, os.dup, 2),
    ],
)
def test_a_stream_that_takes_no_more_never_ends_a_run(
    ran: Ran, tmp_path: Path, open_out: Opens, open_error: Opens, code: int
) -> None:
    """It goes on, silently; its own code counts where it did not end well."""
    folder, first = ran
    with (tmp_path / "printed").open("w") as printed:
        files = [
            end(printed.fileno()) if end is os.dup else end() for end in (open_out, open_error)
        ]
        process = subprocess.run(
            [*COMMAND, "run", folder / "tiny.yaml", "--store", "st", "--output", tmp_path / "out"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=files[0],
            stderr=files[1],
            check=False,
        )
        for file in files:
            os.close(file)
    assert process.returncode == (first.returncode or code)
    assert (tmp_path / "out" / "report.html").is_file()
    text = (tmp_path / "printed").read_text()
    assert "Traceback" not in text
    assert ("error: standard output cannot be written" in text) == (open_out is full)


def test_a_closed_pipe_hides_no_failure(tmp_path: Path) -> None:
    path = written(tmp_path / "c.yaml", budgets={"metric": "acuracy", "drop": 0.1})
    pipe = closed()
    process = subprocess.run(
        [*COMMAND, "run", path], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=pipe, stderr=pipe, check=False,
    )  # fmt: skip
    os.close(pipe)
    assert process.returncode == 2


def test_the_end_of_a_run_promotes_where_it_is_asked_to(
    ran: Ran, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, done = ran
    shutil.copytree(folder / "st", tmp_path / "st")
    path = written(tmp_path / "auto.yaml", releases={"promotion": "auto"})
    code = main(
        ["run", str(path), "--store", str(tmp_path / "st"), "--output", str(tmp_path / "out")]
    )
    said = capsys.readouterr().err
    assert code == done.returncode
    entries = read_log(DirectoryStore(tmp_path / "st"), "tiny").entries
    if code:  # nothing has won on a busy machine
        assert entries == ()
        assert "promoted" not in said
        return
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert len(entries) == manifest["qualified"]
    assert ("\npromoted: tiny@" in said) == manifest["qualified"]
    assert ("\nnot promoted, the gate says no: it does" in said) != manifest["qualified"]
