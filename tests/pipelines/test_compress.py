"""The graph of a configuration: shared beginnings, readable names, everything connected."""

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.compress import graph_of
from pipelines.runs.graph import Graph, Ref, SourceRef, Step, refs_in
from tests.pipelines.config.faces import INT8, PRUNE, STUDENT, config_of


def graph(folder: Path, variants: Mapping[str, object], **more: object) -> Graph:
    return graph_of(config_of(folder, variants, **more))


def path_steps_of(built: Graph) -> list[str]:
    return [step.name for step in built.steps if step.component in ("distill", "prune", "quantize")]


def test_shared_beginnings_run_once_and_names_can_be_read(tmp_path: Path) -> None:
    built = graph(
        tmp_path,
        {
            "student": [STUDENT],
            "student-int8": [STUDENT, INT8],
            "slim-int8": [STUDENT, PRUNE, INT8],
        },
    )
    assert [step.name for step in built.steps] == [
        "ingest",
        "train",
        "distill-mobilenet-v2-035",
        "quantize-int8-of-distill-mobilenet-v2-035",
        "prune-weights-50",
        "quantize-int8-of-prune-weights-50",
        *("convert-teacher", "evaluate-teacher", "benchmark-teacher-host"),
        *("convert-student", "evaluate-student", "benchmark-student-host"),
        *("convert-student-int8", "evaluate-student-int8", "benchmark-student-int8-host"),
        *("convert-slim-int8", "evaluate-slim-int8", "benchmark-slim-int8-host"),
        *("select", "evaluate-sealed", "evaluate-sealed-teacher", "publish"),
    ]
    step = built.by_name
    assert step["prune-weights-50"].inputs["model"] == Ref("distill-mobilenet-v2-035", "model")
    assert step["convert-slim-int8"].inputs["model"] == Ref(
        "quantize-int8-of-prune-weights-50", "quantized"
    )
    assert step["convert-student"].inputs["model"] == Ref("distill-mobilenet-v2-035", "model")
    assert step["distill-mobilenet-v2-035"].inputs["teacher"] == Ref("train", "model")


def test_what_select_and_the_sealed_evaluations_are_given(tmp_path: Path) -> None:
    built = graph(
        tmp_path,
        {"student": [STUDENT], "student-int8": [STUDENT, INT8]},
        devices=["host", {"kind": "host", "threads": 2}],
        budgets={"size_mb": 1, "drop": 0.02},
    )
    select = built.by_name["select"]
    assert select.parameters["names"] == ["teacher", "student", "student-int8"]
    assert select.parameters["candidates"] == ["student", "student-int8"]
    assert select.parameters["devices"] == ["host-1-thread", "host-2-threads"]
    assert select.parameters["metric"] == "auc"
    assert select.parameters["size_mb"] == 1.0
    assert select.parameters["latency_ms"] is None
    assert [ref.step for ref in refs_in(select.inputs["models"])] == [
        "convert-teacher",
        "convert-student",
        "convert-student-int8",
    ]
    assert [ref.step for ref in refs_in(select.inputs["benchmarks"])] == [
        f"benchmark-{name}-{device}"
        for name in ("teacher", "student", "student-int8")
        for device in ("host-1-thread", "host-2-threads")
    ], "name by name, each on all devices"
    assert built.by_name["benchmark-student-host-2-threads"].parameters["threads"] == 2
    sealed, teacher = (
        built.by_name[name] for name in ("evaluate-sealed", "evaluate-sealed-teacher")
    )
    assert dict(sealed.inputs) == {
        "model": Ref("select", "winner"),
        "dataset": Ref("ingest", "sealed"),
        "thresholds": Ref("select", "winner_evaluation"),
    }
    assert teacher.inputs["thresholds"] == Ref("evaluate-teacher", "report")


def test_a_linear_map_of_the_pixels_is_measured_beside_the_variants(tmp_path: Path) -> None:
    variants = {"student": [STUDENT], "student-int8": [STUDENT, INT8]}
    without = graph(tmp_path, variants)
    built = graph(tmp_path, variants, baseline="linear")
    added = [step.name for step in built.steps if step.name not in without.by_name]
    assert added == [
        *("train-linear-baseline", "quantize-linear-baseline", "convert-linear-baseline"),
        *("evaluate-linear-baseline", "benchmark-linear-baseline-host"),
    ]
    fitted = built.by_name["train-linear-baseline"]
    assert (fitted.parameters["backbone"], fitted.inputs["weights"]) == ("linear", None)
    select = built.by_name["select"]
    assert select.parameters["names"] == ["teacher", *variants, "linear-baseline"]
    assert select.parameters["candidates"] == list(variants)
    models = [ref.step for ref in refs_in(select.inputs["models"])]
    assert models[-1] == "convert-linear-baseline"
    for step in built.steps:
        _check_ports(built, step)
    others = {name: step for name, step in built.by_name.items() if name in without.by_name}
    assert {name for name, step in others.items() if step != without.by_name[name]} == {"select"}


def test_a_linear_map_can_be_a_variant_too(tmp_path: Path) -> None:
    path = [{"train": {"backbone": "linear"}}, INT8]
    built = graph(tmp_path, {"linear-int8": path, "student-int8": [STUDENT, INT8]})
    assert "train-linear" in built.by_name
    assert built.by_name["train-linear"].inputs["weights"] is None
    assert built.by_name["select"].parameters["candidates"] == ["linear-int8", "student-int8"]


SEARCHED: Mapping[str, object] = {"distill": {"architecture": "search", "epochs": 2}}


def test_a_search_reads_cost_models_and_its_students_read_the_front(tmp_path: Path) -> None:
    built = graph(
        tmp_path, {"searched": [SEARCHED, INT8], "student": [STUDENT]},
        search={"candidates": 5, "alpha": [0.5], "cost_networks": 9}, budgets={"size_mb": 0.1},
        devices=["host", {"kind": "host", "threads": 2}],
    )  # fmt: skip
    steps = built.by_name
    assert steps["search"].inputs == {
        "dataset": Ref("ingest", "dataset"),
        "teacher": Ref("train", "model"),
        "costs": (
            Ref("cost-model-host-1-thread", "report"), Ref("cost-model-host-2-threads", "report"),
        ),
    }  # fmt: skip
    for name in ("cost-model-host-1-thread", "cost-model-host-2-threads"):
        assert steps[name].inputs == {"samples": Ref("cost-samples", "samples")}
        assert steps[name].occupies == "host"
    assert steps["cost-model-host-2-threads"].threads == 2
    assert steps["cost-samples"].inputs == {}  # the same for other data of the same size
    assert steps["cost-samples"].parameters["cost_networks"] == 9
    assert steps["cost-samples"].parameters["alpha"] == [0.5]
    assert steps["search"].parameters["candidates"] == 5
    assert steps["search"].parameters["size_mb"] == 0.1
    assert steps["distill-search"].inputs["front"] == Ref("search", "front")
    assert steps["select"].inputs["search"] == Ref("search", "front")
    assert steps["distill-mobilenet-v2-035"].inputs["front"] is None


def test_pruning_by_latency_needs_the_costs_of_a_device_and_no_search(tmp_path: Path) -> None:
    prune = {"prune": {"method": "channels", "target": "latency_ms", "remove": 0.3}}
    steps = graph(tmp_path, {"fast": [STUDENT, prune], "small": [STUDENT, PRUNE]}).by_name
    (name,) = (name for name in steps if name.startswith("prune-channels"))
    assert steps[name].inputs["costs"] == Ref("cost-model-host", "report")
    assert steps["prune-weights-50"].inputs["costs"] is None
    assert "search" not in steps


def test_without_either_there_are_no_costs(tmp_path: Path) -> None:
    steps = graph(tmp_path, {"student": [STUDENT]}).by_name
    assert not [name for name in steps if name.startswith(("cost-", "search"))]
    assert steps["select"].inputs["search"] is None


def test_only_the_sealed_evaluations_see_the_sealed_images(tmp_path: Path) -> None:
    built = graph(tmp_path, {"student": [STUDENT], "int8": [INT8]})
    seeing = {step.name for step in built.steps if Ref("ingest", "sealed") in step.refs}
    assert seeing == {"evaluate-sealed", "evaluate-sealed-teacher"}
    assert {step.name for step in built.steps if step.opens_sealed} == seeing


def test_what_holds_for_all_and_what_a_step_says_itself(tmp_path: Path) -> None:
    own: Mapping[str, object] = {"prune": {"threads": 3, "seed": 4}}
    built = graph(
        tmp_path,
        {"pruned": [own, INT8]},
        threads=1,
        seed=7,
        confidence=0.9,
        limits={"prune": {"minutes": 1.5}, "train": {"memory_gb": 2}},
        evaluate={"resamples": 11},
        split={"sealed": 0.3, "by": "image"},
    )
    step = built.by_name
    assert (step["train"].parameters["threads"], step["train"].parameters["seed"]) == (1, 7)
    pruned = step["prune-weights-50"]
    assert (pruned.parameters["threads"], pruned.parameters["seed"]) == (3, 4)
    assert step["evaluate-pruned"].parameters["threads"] == 1
    assert step["evaluate-sealed"].parameters["resamples"] == 11
    assert {
        step[name].parameters["confidence"]
        for name in ("evaluate-pruned", "benchmark-pruned-host", "select")
    } == {0.9}
    assert pruned.time_limit_s == 90
    assert pruned.memory_gb == pruned.interface.memory_gb
    assert step["train"].memory_gb == 2
    ingest = step["ingest"].parameters
    assert (ingest["sealed_fraction"], ingest["split_by"], ingest["maximum"]) == (0.3, "image", 16)


@pytest.mark.parametrize(
    ("task", "by"), [("verification", "identity"), ("classification", "image")]
)
def test_the_split_follows_the_task(tmp_path: Path, task: str, by: str) -> None:
    built = graph(tmp_path, {"int8": [INT8]}, task=task)
    assert built.by_name["ingest"].parameters["split_by"] == by


def test_the_users_own_model_and_weights_are_sources(tmp_path: Path) -> None:
    own: Mapping[str, object] = {
        "model": "face.keras",
        "trusted": True,
        "normalization": {"mean": 0, "scale": 255},
    }
    built = graph(tmp_path, {"int8": [INT8]}, teacher=own)
    step = built.by_name["import-model"]
    assert "train" not in built.by_name
    assert built.sources == {
        "data": str(tmp_path / "faces"),
        "model": str(tmp_path / "face.keras"),
    }
    assert step.inputs["source"] == SourceRef("model")
    assert step.parameters["trusted"] is True
    assert (step.parameters["mean"], step.parameters["scale"]) == (0.0, 255.0)
    assert built.by_name["quantize-int8"].inputs["model"] == Ref("import-model", "model")

    built = graph(tmp_path, {"int8": [INT8]}, teacher={"weights": "w.h5"})
    assert built.sources["weights"] == str(tmp_path / "w.h5")
    assert built.by_name["train"].inputs["weights"] == SourceRef("weights")
    assert "import-model" not in built.by_name


# properties ------------------------------------------------------------------------------------


@st.composite
def paths(draw: st.DrawFn) -> list[dict[str, object]]:
    path: list[dict[str, object]] = []
    if draw(st.booleans()):
        path.append({"distill": {"epochs": draw(st.sampled_from([1, 2]))}})
    sparsities = draw(st.sampled_from([(), (0.25,), (0.5,), (0.25, 0.5)]))  # more zeros each time
    path += [{"prune": {"sparsity": sparsity}} for sparsity in sparsities]
    if draw(st.booleans()) or not path:
        path.append({"quantize": {"scheme": draw(st.sampled_from(["float16", "int8"]))}})
    return path


variants = st.lists(paths(), min_size=1, max_size=12, unique_by=repr)


@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(listed=variants)
def test_any_tree_of_variants(tmp_path: Path, listed: list[list[dict[str, object]]]) -> None:
    named = {f"v{index}": path for index, path in enumerate(listed)}
    config = config_of(tmp_path, named)
    built = graph_of(config)

    place = {step.name: index for index, step in enumerate(built.ordered)}
    assert len(place) == len(built.steps), "names differ"
    for step in built.steps:
        assert re.fullmatch("[a-z0-9-]+", step.name)
        assert all(place[ref.step] < place[step.name] for ref in step.refs), "topological"
        _check_ports(built, step)

    prefixes = {repr(path[: end + 1]) for path in listed for end in range(len(path))}
    assert len(path_steps_of(built)) == len(prefixes), "a step for each different beginning"
    for name, path in named.items():
        assert _components_before(built, f"convert-{name}") == [
            "train",
            *(next(iter(one)) for one in path),
        ]
    assert graph_of(config).digest == built.digest, "the same graph again"
    backwards = graph(tmp_path, dict(reversed(named.items())))
    assert len(backwards.steps) == len(built.steps)


def _check_ports(built: Graph, step: Step) -> None:
    ports = {port.name: port for port in step.interface.inputs}
    assert step.inputs.keys() == ports.keys()
    for name, flow in step.inputs.items():
        assert isinstance(flow, tuple) == ports[name].many
        assert flow is not None or ports[name].optional
        for ref in refs_in(flow):
            kinds = {port.name: port.kind for port in built.by_name[ref.step].interface.outputs}
            assert kinds[ref.output] == ports[name].kind
    complete = step.interface.complete(step.parameters, where=step.name)
    assert complete == step.parameters, "complete and checked"


def _components_before(built: Graph, name: str) -> list[str]:
    chain: list[str] = []
    step = built.by_name[name]
    while step.component != "train":
        source = step.inputs.get("model") or step.inputs.get("teacher")
        assert isinstance(source, Ref)
        step = built.by_name[source.step]
        chain.append(step.component)
    return chain[::-1]


def lines_run(function: Callable[[], object]) -> int:
    """Count the lines that run, loops of comprehensions included: the same on every machine."""
    count = 0

    def trace(_frame: object, event: str, _argument: object) -> object:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return count


def test_compiling_is_linear_in_the_steps(tmp_path: Path) -> None:
    tree = [
        {f"v{index}": [{"prune": {"sparsity": round(0.1 + index / 1e3, 6)}}] for index in range(n)}
        for n in (2, 30, 300)
    ]
    configs = [config_of(tmp_path, one) for one in tree]
    graph_of(configs[0])  # what is made once for all graphs
    small, large = (lines_run(lambda c=config: graph_of(c).ordered) for config in configs[1:])
    assert small > 30
    assert large < 12 * small


def test_each_device_has_a_choice_of_its_own_where_that_is_asked_for(tmp_path: Path) -> None:
    variants = {"student": [STUDENT], "student-int8": [STUDENT, INT8]}
    devices = ["host", {"kind": "adb", "serial": "R5", "name": "s21"}, "microcontroller"]
    together = graph(tmp_path, variants, devices=devices, minimize="latency")
    built = graph(
        tmp_path, variants, devices=devices, minimize="latency",
        select={"per": "device", "resamples": 300},
    )  # fmt: skip
    names = [step.name for step in built.steps]
    shared = [name for name in names if name in together.by_name]
    assert names[len(shared) - 2 : -2] == [
        "select-host", "select-s21", "select-microcontroller",
        "evaluate-sealed-host", "evaluate-sealed-s21", "evaluate-sealed-microcontroller",
    ]  # fmt: skip
    assert names[-2:] == ["evaluate-sealed-teacher", "publish"]
    for name in shared[:-1]:  # all but publish is the same work
        assert built.by_name[name] == together.by_name[name]
    chosen = built.by_name["select-s21"]
    files = ("teacher", "student", "student-int8")
    assert chosen.inputs["benchmarks"] == tuple(
        Ref(f"benchmark-{name}-s21", "report") for name in files
    )
    assert chosen.inputs["models"] == together.by_name["select"].inputs["models"]
    assert chosen.parameters["devices"] == ["s21"]
    assert chosen.parameters["resamples"] == 300
    assert chosen.parameters["minimize"] == "latency"
    assert built.by_name["select-microcontroller"].parameters["minimize"] == "size"
    sealed = built.by_name["evaluate-sealed-s21"]
    assert sealed.inputs["model"] == Ref("select-s21", "winner")
    assert sealed.inputs["thresholds"] == Ref("select-s21", "winner_evaluation")
    published = built.by_name["publish"]
    assert published.parameters["devices"] == ["host", "s21", "microcontroller"]
    assert published.inputs["winners"] == tuple(
        Ref(f"select-{name}", "winner") for name in published.parameters["devices"]
    )
    assert together.by_name["publish"].parameters["devices"] is None


def test_a_device_is_held_to_what_it_can_tell(tmp_path: Path) -> None:
    """A budget of time says nothing of a chip, whose time nobody measures."""
    chips = "microcontroller"
    built = graph(
        tmp_path,
        {"student": [STUDENT]},
        devices=["host", {"kind": "adb", "serial": "R5", "name": "s21"}, chips],
        budgets={
            "size_mb": 1, "latency_ms": 50, "arena_kb": 64, "devices": {"s21": {"latency_ms": 20}},
        },
        select={"per": "device"},
    )  # fmt: skip
    asked = {
        device: [
            built.by_name[f"select-{device}"].parameters[key]
            for key in ("size_mb", "latency_ms", "arena_kb", "by_device")
        ]
        for device in ("host", "s21", chips)
    }
    assert asked == {
        "host": [1, 50, None, None],
        "s21": [1, 50, None, {"s21": {"latency_ms": 20}}],
        chips: [1, None, 64, None],
    }
