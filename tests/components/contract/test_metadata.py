"""What Kubeflow Pipelines is told of an output: what it takes, and no more than it takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.contract import metadata
from components.contract.digests import canonical_json
from components.contract.executor_input import Call
from components.contract.interface import interface_of
from components.contract.metadata import LEFT_OUT, MOST_BYTES, executor_output
from components.contract.tree import tree_of


def test_metadata_are_strings_and_numbers() -> None:
    content = {
        "auc": 0.5,
        "n": 3,
        "winner": "a",
        "stable": True,
        "none": None,
        "list": [1, {"a": 2}],
    }
    assert metadata._scalars(content) == {
        "auc": 0.5, "n": 3, "winner": "a", "stable": "true", "list": '[1,{"a":2}]',
    }  # fmt: skip


def told(root: Path, metrics: object, curve: object) -> dict[str, dict[str, object]]:
    """Metadata of the outputs of an evaluation that wrote these."""
    interface = interface_of("evaluate")
    outputs = {port.name: root / port.name for port in interface.outputs}
    outputs["report"].mkdir()
    (outputs["report"] / "evaluation.json").write_text("{}")
    outputs["metrics"].write_bytes(canonical_json(metrics))
    outputs["curve"].write_bytes(canonical_json(curve))
    call = Call(interface, {}, {}, {}, outputs, {}, None, {}, None)
    found = executor_output(call, {name: tree_of(path) for name, path in outputs.items()})
    return {name: one["artifacts"][0]["metadata"] for name, one in found["artifacts"].items()}


def test_what_is_small_is_all_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    matrix = {"confusionMatrix": {"rows": [{"row": [1, 2]}]}}
    found = told(tmp_path, {"accuracy": 0.5}, matrix)
    assert found["curve"].items() >= matrix.items()
    assert found["metrics"]["accuracy"] == 0.5
    assert set(found["report"]) == {"digest", "size_bytes"}
    assert not any(LEFT_OUT in one for one in found.values())
    assert capsys.readouterr().err == ""


def test_what_is_too_large_is_left_out_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    matrix = {"confusionMatrix": {"rows": [{"row": [10] * 700}] * 700}, "note": "x"}
    metrics = {"accuracy": 0.5, "long": "y" * 600_000, "longer": "z" * 600_001}
    found = told(tmp_path, metrics, matrix)
    assert all(len(json.dumps(one)) <= MOST_BYTES for one in found.values())
    assert found["curve"]["note"] == "x"
    assert "confusionMatrix" not in found["curve"]
    assert found["curve"]["digest"] == tree_of(tmp_path / "curve").digest
    assert str(found["curve"][LEFT_OUT]).startswith("confusionMatrix (1,4")
    assert set(found["metrics"]) == {"digest", "size_bytes", "accuracy", "long", LEFT_OUT}
    said = capsys.readouterr().err
    assert "the metadata of metrics would be larger than 1,000,000 bytes" in said
    assert "left out, and in its file alone: longer (600,014 bytes)" in said


def test_a_thousand_metrics_too_many_are_counted(tmp_path: Path) -> None:
    found = told(tmp_path, {f"m{n:04}": "x" * 1000 for n in range(1500)}, {})
    assert len(json.dumps(found["metrics"])) <= MOST_BYTES
    assert len(found["metrics"]) > 900
    assert str(found["metrics"][LEFT_OUT]).endswith(" more")
