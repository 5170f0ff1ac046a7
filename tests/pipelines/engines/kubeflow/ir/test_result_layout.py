"""Which artifacts a step has on a cluster, and how many nodes that makes in the picture."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from components import COMPONENTS
from components.contract.interface import interface_of
from components.contract.results import display_name_of
from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.engines.kubeflow.ir.result_layout import (
    display_names,
    layout_of,
    layout_of_step,
    ports_of,
)
from tests.pipelines.engines.kubeflow.graphs import EXAMPLES, compile_config, config_of
from tests.servers.kfp.picture import earlier_nodes, nodes

DIGITS = Path(__file__).parents[5] / "pipelines/examples/digits.yaml"


def test_the_picture_of_digits_has_half_of_the_nodes_that_it_had(tmp_path: Path) -> None:
    config = config_of(tmp_path, DIGITS)
    graph = graph_of(config)
    assert (len(graph.steps), earlier_nodes(graph)) == (38, 169)
    assert nodes(compile_config(config).text) == 83
    # As the recordings of real servers had it: without the baseline, 33 steps.
    config = config_of(tmp_path, DIGITS, baseline="none")
    graph = graph_of(config)
    assert (len(graph.steps), earlier_nodes(graph)) == (33, 148)
    assert nodes(compile_config(config).text) == 73


@pytest.mark.parametrize("name", COMPONENTS)
@pytest.mark.parametrize("shows_curve", [False, True])
def test_no_artifact_of_a_step_begins_as_another_one(name: str, shows_curve: bool) -> None:
    """Launchers up to 2.16 download whatever begins with an artifact's address."""
    layout = layout_of(interface_of(name), shows_curve=shows_curve)
    names = [layout.name, *layout.beside, "executor-logs"]
    assert len(set(names)) == len(names)
    for one in names:
        assert not [other for other in names if other != one and other.startswith(one)]


def test_artifacts_are_called_after_their_kind() -> None:
    found = {name: layout_of(interface_of(name)) for name in COMPONENTS}
    assert {name: (layout.name, *layout.beside) for name, layout in found.items()} == {
        "ingest": ("dataset", "sealed"),
        **dict.fromkeys(("train", "import_model", "import_answers", "distill"), ("model",)),
        **dict.fromkeys(("prune", "cluster", "quantize", "quantize_aware"), ("model",)),
        "cost_samples": ("cost_samples",),
        "cost_model": ("metrics",),
        "search": ("report",),
        "search_page": ("statement", "page"),
        "convert": ("lite_model",),
        **dict.fromkeys(("evaluate", "evaluate_answers", "benchmark"), ("metrics",)),
        **dict.fromkeys(("benchmark_ssh", "benchmark_adb", "benchmark_browser"), ("metrics",)),
        **dict.fromkeys(("benchmark_microcontroller", "benchmark_results"), ("metrics",)),
        "select": ("metrics", "page"),
        "publish": ("release", "page", "report"),
    }


def test_nobody_gets_the_sealed_images_but_who_measures_on_them(tmp_path: Path) -> None:
    graph = graph_of(config_of(tmp_path, DIGITS))
    sealed = layout_of(interface_of("ingest")).artifact_of("sealed")
    pipeline = next(iter(yaml.safe_load_all(compile_config(config_of(tmp_path, DIGITS)).text)))
    readers = {
        name
        for name, task in pipeline["root"]["dag"]["tasks"].items()
        for artifact in task["inputs"].get("artifacts", {}).values()
        if artifact["taskOutputArtifact"]["producerTask"] == "ingest"
        and artifact["taskOutputArtifact"]["outputArtifactKey"] == sealed
    }
    assert readers == {step.name for step in graph.steps if step.opens_sealed}


def test_one_evaluation_has_a_curve_in_the_picture(tmp_path: Path) -> None:
    for example in EXAMPLES:
        graph = graph_of(config_of(tmp_path, example))
        curves = [step.name for step in graph.steps if "curve" in layout_of_step(step).beside]
        assert curves == ["evaluate-sealed"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_input_is_what_it_says_of_the_result_that_it_enters_in(
    example: Path, tmp_path: Path
) -> None:
    graph = graph_of(config_of(tmp_path, example))
    for step in graph.steps:
        ports = ports_of(step, graph)
        for port, flow in step.inputs.items():
            for ref in flow if isinstance(flow, tuple) else (flow,):
                if ref is None or not hasattr(ref, "step"):
                    assert port not in ports
                    continue
                producer = graph.by_name[ref.step].interface
                beside = ref.output in layout_of(producer).beside
                assert ports.get(port) == (None if beside else ref.output)


def test_what_is_made_is_called_after_its_variant_or_after_the_step(tmp_path: Path) -> None:
    graph = graph_of(load(DIGITS))
    said = display_names(graph)
    shown = {step.name: said.get(step.name, display_name_of(step.name)) for step in graph.steps}
    assert said == {
        "train-linear-baseline": "linear-baseline",
        "quantize-linear-baseline": "linear-baseline",
        "quantize-float16": "student-float16",
        "quantize-dynamic": "student-dynamic",
        "quantize-int8-of-distill-conv-050": "student-int8",
        "quantize-int8-of-prune-weights-50": "pruned-int8",
    }
    assert shown["convert-student-int8"] == shown["evaluate-student-int8"] == "student-int8"
    assert shown["distill-conv-050"] == "distill-conv-050", "six variants begin with it"
    assert shown["prune-weights-50"] == "prune-weights-50", "two variants share it"
    assert shown["train"] == "train"
