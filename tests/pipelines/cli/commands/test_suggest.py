"""`slimline suggest`, and what `explain` says of `variants: auto`."""

import json
import subprocess
from pathlib import Path

import pytest

from pipelines.cli.main import main
from pipelines.config.loading import load
from pipelines.runs.records import read_run
from pipelines.stores.opening import open_store
from tests.pipelines.config.suggest.situations import written


def test_what_is_printed_is_what_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "mine.yaml")
    assert main(["suggest", str(path), "--minutes", "120"]) == 0
    printed = capsys.readouterr().out
    assert main(["suggest", str(path), "--minutes", "120", "-o", str(tmp_path / "new.yaml")]) == 0
    assert (tmp_path / "new.yaml").read_text() == printed
    assert "variants; then: slimline run" in capsys.readouterr().out
    assert len(load(tmp_path / "new.yaml").variants) > 3
    assert main(["suggest", str(path), "-o", str(tmp_path / "new.yaml")]) == 2
    assert "already" in capsys.readouterr().err


def test_many_classes_make_the_students_smaller(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "mine.yaml", side=224, task="classification")
    told: list[str] = []
    for classes in ("10", "2000"):
        assert main(["suggest", str(path), "--classes", classes]) == 0
        told.append(capsys.readouterr().out)
    assert "5,000 images of 2,000 classes" in " ".join(told[1].replace("#", "").split())
    assert told[0].partition("variants:")[2] != told[1].partition("variants:")[2]


def test_the_record_of_a_run_holds_its_variants(
    ran: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, _ = ran
    record = read_run(open_store(str(folder / "st")), None)
    assert record.variants == load(folder / "tiny.yaml").written_variants
    assert record.variants


def test_explain_shows_what_auto_became(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The tree with its reasons for people, the paths for programs."""
    from tests.pipelines.cli.command_line import TINY

    path = written(
        tmp_path / "mine.yaml",
        data=str(load(TINY).data),
        image={"height": 8, "width": 8, "channels": 1, "maximum": 16},
        split={"by": "image", "label_column": "last"},
        store=str(tmp_path / "store"),
    )
    assert main(["explain", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "  # One matrix, fitted in seconds." in printed
    assert "    - distill: &student {" in printed
    assert main(["explain", str(path), "--json"]) == 0
    explained = json.loads(capsys.readouterr().out)
    assert explained["variants"] == load(path).written_variants
    assert "convert-student-int8" in {step["step"] for step in explained["steps"]}
