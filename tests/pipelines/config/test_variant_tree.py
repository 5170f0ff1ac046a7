"""The tree of variants: paths that begin alike share their steps."""

from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.config.variant_tree import merged
from tests.pipelines.config.faces import INT8, PRUNE, STUDENT, config_of


def test_paths_that_begin_alike_share_their_steps(tmp_path: Path) -> None:
    variants = {"a": [STUDENT], "b": [STUDENT, PRUNE], "c": [STUDENT, INT8], "d": [INT8]}
    tree = merged(config_of(tmp_path, variants))
    assert [(node.component, node.parent) for node in tree.nodes] == [
        ("distill", None), ("prune", 0), ("quantize", 0), ("quantize", None),
    ]  # fmt: skip
    assert tree.leaves == {"a": 0, "b": 1, "c": 2, "d": 3}


def test_the_same_path_twice_is_an_error(tmp_path: Path) -> None:
    spelt_out = {"quantize": {"scheme": "int8", "calibration_images": 200}}
    with pytest.raises(UserError, match=r"variants\.b: the same path as variants\.a"):
        merged(config_of(tmp_path, {"a": [INT8], "b": [spelt_out]}))
