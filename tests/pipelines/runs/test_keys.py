"""What a step is made of: whatever of it changes, the step runs again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from components.contract.digests import digest
from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.runs.graph import SourceRef, Step
from pipelines.runs.keys import Ingredients, ingredients_of
from pipelines.runs.listing import listed_sources
from tests.data.images import folder
from tests.pipelines.cli.command_line import written


def of_ingest(path: Path) -> Ingredients:
    graph = graph_of(load(path))
    step, sources = graph.by_name["ingest"], listed_sources(graph)
    inputs = {
        port: sources[flow.name].digest if isinstance(flow, SourceRef) else None
        for port, flow in step.inputs.items()
    }
    return ingredients_of(step, inputs, "environment")


def test_a_corrected_list_of_pairs_is_ingested_anew(tmp_path: Path) -> None:
    folder(tmp_path / "data", {"Ann": 2, "Bob": 2})
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("1\t1\nAnn\t1\t2\nAnn\t1\tBob\t1\n")
    path = written(tmp_path / "c.yaml", data="./data", pairs="./pairs.txt", split={})
    before, same = of_ingest(path), of_ingest(path)
    assert before.key == same.key
    pairs.write_text("1\t1\nAnn\t1\t2\nAnn\t2\tBob\t1\n")
    after = of_ingest(path)
    assert after.key != before.key
    assert [change.what for change in after.changed_since(before.to_json())] == ["inputs.pairs"]
    without = of_ingest(written(tmp_path / "c.yaml", data="./data", split={}))
    assert without.key not in (before.key, after.key)


def test_a_gpu_is_part_of_the_key_and_none_changes_no_key_from_before() -> None:
    step = Step("train", "train", {}, {"threads": 2}, 1.0, 60.0)
    on_cpu = ingredients_of(step, {}, "environment")
    content = on_cpu.to_json()
    assert set(content) == {
        "component", "code", "environment", "inputs", "parameters", "device", "schema",
    }  # fmt: skip
    assert on_cpu.key == digest("step", content)
    on_gpu = ingredients_of(replace(step, gpu=1), {}, "environment")
    assert on_gpu.key != on_cpu.key
    assert [str(change) for change in on_gpu.changed_since(content)] == ["gpu"]
    assert [str(change) for change in on_cpu.changed_since(on_gpu.to_json())] == ["gpu"]
