"""The tree of variants: paths that begin alike share their steps."""

from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.config.step_names import step_names
from pipelines.config.variant_tree import merged
from tests.pipelines.config.faces import INT8, PRUNE, STUDENT, config_of


def test_paths_that_begin_alike_share_their_steps(tmp_path: Path) -> None:
    variants = {"a": [STUDENT], "b": [STUDENT, PRUNE], "c": [STUDENT, INT8], "d": [INT8]}
    tree = merged(config_of(tmp_path, variants))
    assert [(node.component, node.parent) for node in tree.nodes] == [
        ("distill", None), ("prune", 0), ("quantize", 0), ("quantize", None),
    ]  # fmt: skip
    assert tree.leaves == {"a": 0, "b": 1, "c": 2, "d": 3}


def test_a_control_has_the_same_steps_and_shares_them(tmp_path: Path) -> None:
    student = {"backbone": "conv", "alpha": 0.25, "seed": 3}
    with_control = {"distill": {**student, "control": True, "similarity_weight": 30.0, "views": 4}}
    other = {"distill": {**student, "control": True, "similarity_weight": 1.0, "mixup": 8}}
    variants = {"a": [with_control], "b": [with_control, INT8], "c": [other], "d": [STUDENT]}
    tree = merged(config_of(tmp_path, variants))
    assert tree.controls == {"a": "control-of-a", "b": "control-of-b", "c": "control-of-a"}
    assert list(tree.leaves) == ["a", "b", "c", "d", "control-of-a", "control-of-b"]
    names = step_names(tree)
    control, quantized = (tree.leaves[f"control-of-{name}"] for name in "ab")
    assert tree.nodes[quantized].parent == control
    assert names[control] == "control-of-distill-conv-025"
    assert names[quantized] == "quantize-int8-of-control-of-distill-conv-025"
    made, learned = tree.nodes[control].parameters, tree.nodes[tree.leaves["a"]].parameters
    differing = {key for key in made if made[key] != learned[key]}
    assert differing == {"control", "similarity_weight", "views"}
    assert made["control"] is True
    assert not any(node.parameters.get("control") for node in tree.nodes[:control])


def test_a_variant_is_the_same_step_with_a_control_and_without(tmp_path: Path) -> None:
    student = {"backbone": "conv", "alpha": 0.25}
    alone, beside = (
        merged(config_of(tmp_path, {"a": [{"distill": {**student, **more}}]}))
        for more in ({}, {"control": True})
    )
    assert beside.nodes[0] == alone.nodes[0]
    assert (len(alone.nodes), len(beside.nodes)) == (1, 2)
    assert not alone.controls


def test_the_names_of_controls_are_taken_and_the_fix_works(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="names that begin with control-of-") as caught:
        config_of(tmp_path, {"control-of-a": [STUDENT]})
    assert "call it 'a'" in caught.value.fix
    config_of(tmp_path, {"a": [STUDENT]})


def test_the_same_path_twice_is_an_error(tmp_path: Path) -> None:
    spelt_out = {"quantize": {"scheme": "int8", "calibration_images": 200}}
    with pytest.raises(UserError, match=r"variants\.b: the same path as variants\.a"):
        merged(config_of(tmp_path, {"a": [INT8], "b": [spelt_out]}))
