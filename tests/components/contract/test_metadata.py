"""What Kubeflow Pipelines is told of an output: what it takes, and no more than it takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.contract import metadata
from components.contract.digests import canonical_json
from components.contract.executor_input import Call
from components.contract.interface import interface_of
from components.contract.metadata import (
    LEFT_OUT,
    METRICS_MAX,
    MOST_BYTES,
    SERVICE,
    executor_output,
    telling_metrics,
)
from components.contract.results import Result, ResultForm
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


def told(
    root: Path, metrics: object, curve: object, result: Result | None = None
) -> dict[str, dict[str, object]]:
    """Metadata of the outputs of an evaluation that wrote these."""
    interface = interface_of("evaluate")
    outputs = {port.name: root / port.name for port in interface.outputs}
    outputs["report"].mkdir()
    (outputs["report"] / "evaluation.json").write_text("{}")
    outputs["metrics"].write_bytes(canonical_json(metrics))
    outputs["curve"].write_bytes(canonical_json(curve))
    call = Call(interface, {}, {}, {}, outputs, {}, None, {}, None, result=result)
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
    matrix = {"matrix": [[10] * 700] * 700, "note": "x"}
    metrics = {"accuracy": 0.5, "long": "y" * 600_000, "longer": "z" * 600_001}
    found = told(tmp_path, metrics, matrix)
    assert all(len(json.dumps(one)) <= MOST_BYTES for one in found.values())
    assert found["curve"]["note"] == "x"
    assert "matrix" not in found["curve"]
    assert found["curve"]["digest"] == tree_of(tmp_path / "curve").digest
    assert str(found["curve"][LEFT_OUT]).startswith("matrix (1,4")
    assert set(found["metrics"]) == {"digest", "size_bytes", "accuracy", "long", LEFT_OUT}
    said = capsys.readouterr().err
    assert "the metadata of metrics would be larger than 1,000,000 bytes" in said
    assert "left out, and in its file alone: longer (600,014 bytes)" in said


def test_a_thousand_metrics_too_many_are_counted(tmp_path: Path) -> None:
    found = told(tmp_path, {f"m{n:04}": "x" * 1000 for n in range(1500)}, {})
    assert len(json.dumps(found["metrics"])) <= MOST_BYTES
    assert len(found["metrics"]) > 900
    assert str(found["metrics"][LEFT_OUT]).endswith(" more")


# results ----------------------------------------------------------------------------------------

EVALUATED = {
    **{f"{name}{end}": 0.123456789 for name in ("auc", "eer", "accuracy", "tar", "tar_1e3", "one_shot")
       for end in ("", "_low", "_high")},
    **{f"baseline_{name}": 0.5 for name in ("auc", "eer", "accuracy", "tar")},
    "threshold": 0.25,
}  # fmt: skip
TIMED = {
    **{f"{name}{end}": 1.5 for name in ("p50_ms", "p90_ms", "p99_ms") for end in ("", "_low", "_high")},
    "size_bytes": 1000, "gzip_bytes": 900, "load_ms": 1.0, "first_ms": 2.0, "spread_ms": 0.1,
    "peak_memory_bytes": 5000, "disturbed": 0,
}  # fmt: skip
CHOSEN = {
    "winner": "student-int8", "candidates": 3, "kept": 2, "size_bytes": 1000, "gzip_bytes": 900,
    "auc": 0.99, "auc_low": 0.98, "auc_high": 1.0, "drop": 0.01, "drop_low": 0.0, "drop_high": 0.02,
    "p50_ms_host": 0.5,
}  # fmt: skip


def result(called: str = "student-int8", beside: tuple[str, ...] = ()) -> Result:
    return Result(ResultForm("metrics", beside), "gs://b/r/metrics", "system.Metrics", called)


def test_a_result_shows_at_most_eight_metrics_and_nothing_else(tmp_path: Path) -> None:
    found = told(tmp_path, EVALUATED, {}, result())
    assert found == {
        "metrics": {
            "display_name": "student-int8", "accuracy": 0.123457, "auc": 0.123457, "eer": 0.123457,
            "one_shot": 0.123457, "tar": 0.123457, "tar_1e3": 0.123457,
        }
    }  # fmt: skip
    assert len(telling_metrics(EVALUATED)) <= METRICS_MAX == 8


def test_of_a_benchmark_the_size_is_the_models_and_intervals_stay_in_the_file() -> None:
    assert telling_metrics(TIMED) == {
        "disturbed": 0, "first_ms": 2.0, "p50_ms": 1.5, "p90_ms": 1.5, "peak_memory_bytes": 5000,
        "size_bytes": 1000,
    }  # fmt: skip


def test_of_a_choice_it_is_what_the_winner_is_worth() -> None:
    shown = telling_metrics(CHOSEN)
    assert shown == {"auc": 0.99, "drop": 0.01, "size_bytes": 1000, "p50_ms_host": 0.5}
    many = CHOSEN | {f"p50_ms_d{number}": 1.0 for number in range(9)}
    assert list(telling_metrics(many))[:3] == ["auc", "drop", "size_bytes"]
    assert len(telling_metrics(many)) == METRICS_MAX


@pytest.mark.parametrize(("winner", "shown"), [("a", "winner a"), ("", "no winner")])
def test_a_choice_is_called_after_its_winner(tmp_path: Path, winner: str, shown: str) -> None:
    (one,) = told(tmp_path, {"winner": winner, "auc": 0.5}, {}, result("select")).values()
    assert one == {"display_name": shown, "auc": 0.5}


def test_what_is_beside_a_result_has_its_digest_for_those_who_read_it(tmp_path: Path) -> None:
    points = {"confidenceMetrics": [{"confidenceThreshold": 0.5}]}
    found = told(tmp_path, {"auc": 1}, points, result(beside=("curve",)))
    assert set(found) == {"metrics", "curve"}
    assert found["curve"] == {
        **points, "display_name": "student-int8", "digest": tree_of(tmp_path / "curve").digest,
        "size_bytes": (tmp_path / "curve").stat().st_size,
    }  # fmt: skip


def test_a_matrix_of_seven_hundred_classes_is_shown_with_those_confused_most(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [[0] * 700 for _ in range(700)]
    for place in range(700):
        rows[place][place] = 90_000_000
    rows[3][4] = rows[650][651] = 7
    matrix = {
        "annotationSpecs": [{"displayName": f"class {n}"} for n in range(700)],
        "rows": [{"row": row} for row in rows],
    }
    found = told(tmp_path, {}, {"confusionMatrix": matrix})["curve"]
    assert len(json.dumps(found)) <= MOST_BYTES
    shown = found["confusionMatrix"]
    assert LEFT_OUT not in found
    assert capsys.readouterr().err == ""
    assert isinstance(shown, dict)
    names = [one["displayName"] for one in shown["annotationSpecs"]]
    assert {"class 3", "class 4", "class 650", "class 651"} < set(names)
    assert names[-1] == f"(the other {701 - len(names)} classes)"
    assert sum(sum(one["row"]) for one in shown["rows"]) == sum(map(sum, rows))
    assert all(len(one["row"]) == len(names) for one in shown["rows"])


def test_a_page_names_its_place_in_the_service_and_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page"
    page.write_text("<html></html>")
    interface = interface_of("search_page")
    outputs = {port.name: page for port in interface.outputs}
    call = Call(interface, {}, {}, {}, outputs, {}, None, {}, None)
    tree = tree_of(page)

    def of_page() -> dict[str, object]:
        artifacts = executor_output(call, dict.fromkeys(outputs, tree))["artifacts"]
        assert isinstance(artifacts, dict)
        return artifacts["page"]["artifacts"][0]["metadata"]

    before = of_page()
    monkeypatch.setenv(SERVICE, "https://slimline.example.com")
    place = f"https://slimline.example.com/lineage/{tree.digest}"
    assert of_page() == {**before, "service": place}
