"""Foreseeing: explain says which steps would run on the cluster, and a rerun says who made all."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import yaml

from components.contract.errors import UserError
from pipelines.cli.main import main
from pipelines.engines.kubeflow.ir import limits
from tests.pipelines.engines.kubeflow.launches import Launching, changed


def explained(config: Path, store: Path, capsys: pytest.CaptureFixture[str]) -> str:
    words = f"explain {shlex.quote(str(config))} --engine kubeflow --kfp 2.17.0 --store {store}"
    assert main(shlex.split(words)) == 0
    return " ".join(capsys.readouterr().out.split())


def test_explain_says_how_many_and_which_steps_run_on_the_cluster(
    launching: Launching, config_path: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    store = tmp_path / "store"
    said = explained(config_path, store, capsys)
    assert "on the cluster 18 steps would run: " in said
    assert "18 of 18 steps would run" in said
    launching(config_path)
    said = explained(config_path, store, capsys)
    assert "on the cluster nothing would run: every result is there" in said
    assert "0 of 18 steps would run" in said
    budgets = yaml.safe_load(config_path.read_text())["budgets"]
    other = changed(config_path, budgets=budgets | {"size_mb": 0.2})
    said = explained(other, store, capsys)
    assert "on the cluster 3 steps would run: select, evaluate-sealed, publish" in said
    assert not list(launching.cluster.kfp.backend.runs)[1:], "nothing was sent"

    def fault(made: object, *_: object, **__: object) -> UserError | None:
        steps = getattr(made, "steps", ())
        return UserError("too many", "take fewer") if len(steps) > 2 else None

    monkeypatch.setattr(limits, "fault", fault)
    assert "in 2 parts" in explained(other, store, capsys)


def test_a_rerun_names_the_run_that_made_everything(
    launching: Launching, config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = launching(config_path)
    command = ["run", str(config_path), "--engine", "kubeflow", "--host", launching.cluster.kfp.url]
    place = ["--store", str(tmp_path / "store"), "--output", str(tmp_path / "out")]
    assert main([*command, *place]) in (0, 3)
    assert f"nothing ran in the cluster: all results are of {first.run}" in capsys.readouterr().err
