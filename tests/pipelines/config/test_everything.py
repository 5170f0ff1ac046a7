"""everything.yaml holds every technique: what components offer, and nothing is forgotten."""

from pathlib import Path

import pytest
import yaml

from components.contract.errors import UserError
from components.contract.interface import interface_of
from components.ml.techniques.distillation_settings import ONLY_FOR, DistillationSettings
from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.config.parameters import steps_of_paths
from pipelines.config.variant_tree import merged
from tests.data.techniques import techniques

FILE = Path(__file__).parents[3] / "pipelines" / "examples" / "everything.yaml"

LEFT_OUT = {
    ("prune", "method", "tfmot"): "it learns from the labels of a softmax: classification alone",
    ("prune", "target", "latency_ms"): "it measures twenty nets beforehand, as the search does",
    ("distill", "architecture", "search"): "it trains thirty nets: the search has tests of its own",
    **{
        (component, "backbone", name): "too long for this example, or a larger one of a family"
        for component in ("distill", "train")
        for name in (
            *("resnet50", "mobilenet_v3_large", "efficientnet_b0"),
            *(f"efficientnet_lite{number}" for number in range(1, 5)),
        )
    },
    **{
        ("train", "backbone", name): "what train makes, distill makes as well"
        for name in ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_lite0",
                     "mobilefacenet", "conv")
    },
    **{("train", name, value): "what train makes, distill makes as well"
       for name, value in (("head", "pooled"), ("head", "depthwise"), ("stem", "half"), ("stem", "full"), ("pointwise", "conv"), ("pointwise", "dense"))},
}  # fmt: skip
"""By component, parameter and value why the example does without it."""


def used(path: Path) -> set[tuple[str, str, object]]:
    """Every choice that the steps of a configuration make, by default ones too."""
    config = load(path)
    found: set[tuple[str, str, object]] = set()
    for node in merged(config).nodes:
        known = {item.name: item for item in interface_of(node.component).parameters}
        found |= {
            (node.component, name, value)
            for name, value in node.parameters.items()
            if isinstance(value, str) and known[name].matters(node.parameters)
        }
    return found


def test_each_technique_stands_in_it() -> None:
    missing = set(techniques()) - used(FILE) - LEFT_OUT.keys()
    assert not missing, "add a variant to everything.yaml"
    assert len(set(techniques()) & used(FILE)) >= 25
    assert {component for component, *_ in used(FILE)} == set(steps_of_paths())


def test_what_is_left_out_is_offered_and_not_used() -> None:
    assert LEFT_OUT.keys() <= set(techniques())
    assert not LEFT_OUT.keys() & used(FILE)


def test_a_technique_that_is_taken_out_is_missed(tmp_path: Path) -> None:
    plain = yaml.safe_load(FILE.read_text())
    del plain["variants"]["w4a8"], plain["variants"]["mobilenet-v2-w4a8"]
    (tmp_path / "less.yaml").write_text(yaml.safe_dump(plain))
    assert ("quantize", "scheme", "w4a8") in set(techniques()) - used(tmp_path / "less.yaml")


def test_the_task_refuses_what_is_left_out_because_of_it(tmp_path: Path) -> None:
    plain = yaml.safe_load(FILE.read_text())
    plain["variants"]["pruned-int8"][1]["prune"]["method"] = "tfmot"
    (tmp_path / "more.yaml").write_text(yaml.safe_dump(plain))
    with pytest.raises(UserError, match="tfmot learns from the labels"):
        load(tmp_path / "more.yaml")


def test_every_weight_of_the_teacher_is_tried() -> None:
    """What distills is no named choice but a weight; each is above 0 somewhere."""
    weights = {
        name
        for name in vars(DistillationSettings)
        if name.endswith("_weight") and name not in ONLY_FOR["classification"]
    }
    assert len(weights) >= 6
    given = [node.parameters for node in merged(load(FILE)).nodes if node.component == "distill"]
    assert {name for name in weights if not any(one[name] for one in given)} <= {
        "relational_weight"  # by default 1 for verification, and 1 in relations-int8
    }


def test_it_is_large_enough_and_shares_its_beginnings() -> None:
    config = load(FILE)
    tree = merged(config)
    assert len(config.variants) >= 24
    assert len(tree.controls) == 1
    students = [node for node in tree.nodes if node.component == "distill"]
    assert len(students) <= 18, "trained once each, whatever follows"
    assert len(graph_of(config).steps) == len({step.name for step in graph_of(config).steps})
