"""Parts: variant after variant, each as large as it may be, and one import for what compares."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.engines.kubeflow.ir.preflight import check
from pipelines.engines.kubeflow.ir.servers import wanted
from pipelines.engines.kubeflow.launching.part_compiler import PartCompiler
from pipelines.engines.kubeflow.launching.parts import by_variant, divided
from pipelines.engines.kubeflow.launching.planning import ReusePlan
from tests.benchmarks.kubeflow import wide


def at_most(count: int, steps: Sequence[str]) -> UserError | None:
    return UserError("too many", "take fewer") if len(steps) > count else None


def test_each_part_needs_only_those_before_it(tmp_path: Path) -> None:
    graph = graph_of(load(wide(6, tmp_path)))
    order = by_variant(graph, graph.by_name)
    assert sorted(order) == sorted(graph.by_name)
    place = {name: index for index, name in enumerate(order)}
    for step in graph.steps:
        assert all(place[ref.step] < place[step.name] for ref in step.refs), step.name
    leaf = [place[f"{kind}-v3"] for kind in ("convert", "evaluate")]
    assert leaf[1] - leaf[0] == 1, "a variant's steps stand together"
    parts = divided(order, lambda steps: at_most(7, steps))
    assert [name for part in parts for name in part] == list(order)
    assert all(len(part) == 7 for part in parts[:-1])
    with pytest.raises(UserError, match="too many"):
        divided(order, lambda steps: at_most(0, steps))


def test_sixty_variants_run_in_parts_whose_select_imports_once(tmp_path: Path) -> None:
    config = load(wide(60, tmp_path))
    graph = graph_of(config)
    reachable = check(config, graph)
    images = reachable.settings.images
    assert not isinstance(images, str)
    compiler = PartCompiler(
        reachable, {"data": "1" * 64}, images, "gs://bucket/pipelines", wanted("2.14.0")
    )
    first, *_, last = parts = compiler.parts(ReusePlan())
    assert sum(len(part) for part in parts) == len(graph.steps)
    assert "ingest" in first
    spec = compiler.compiled(ReusePlan(), last).spec
    task = spec["root"]["dag"]["tasks"]["select"]
    own = [name for name in task["dependentTasks"] if not name.startswith("result-")]
    assert "gathered-select" in own
    imports = [name for name in task["dependentTasks"] if name.startswith(("result-", "gathered-"))]
    assert len(imports) <= 2, "one for the results of all variants, one for the report of ingest"
    listed = task["inputs"]["parameters"]["gathered"]["runtimeValue"]["constant"]["models"]
    refs = graph.by_name["select"].inputs["models"]
    assert isinstance(refs, tuple)
    assert listed == [None if ref.step in last else ref.step for ref in refs]
    given = task["inputs"]["artifacts"]
    for index, name in enumerate(listed):
        assert (f"models_{index}" in given) == (name is None)
