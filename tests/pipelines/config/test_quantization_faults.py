"""Quantize steps that make no sense: refused before anything runs, and the fix that is given helps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.contract.errors import UserError
from pipelines.config.loading import load
from tests.pipelines.applied import CONFIG, merged

WRONG: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "integer edges of float16": (
        {"scheme": "float16", "input_type": "uint8"}, "float16 computes in floating point"
    ),
    "integer edges of dynamic": (
        {"scheme": "dynamic", "output_type": "int8"}, "dynamic computes in floating point"
    ),
    "integer edges of int16x8": (
        {"scheme": "int16x8", "input_type": "int8"}, "keeps 16 bits of every activation"
    ),
    "exceptions of float16": (
        {"scheme": "float16", "float_layers": ["pool"]}, "nothing to except"
    ),
    "sensitivity of dynamic": ({"scheme": "dynamic", "sensitivity": True}, "nothing to except"),
    "auto and names": (
        {"scheme": "int8", "float_layers": ["auto", "pool"], "max_drop": 0.1}, "one of the two"
    ),
    "auto without a drop": ({"scheme": "int8", "float_layers": "auto"}, "how much validation"),
    "a drop without auto": ({"scheme": "int8", "max_drop": 0.1}, "max_drop is what"),
    "exact pixels of floats": (
        {"scheme": "int8", "exact_pixels": True}, "takes? pixels as they are"
    ),
    "exact pixels of float16": (
        {"scheme": "float16", "exact_pixels": True}, "takes? pixels as they are"
    ),
    "sparse integers": ({"scheme": "int8", "sparse": True}, "leaves zeros out"),
    "exact pixels without the range": (
        {"scheme": "int8", "input_type": "uint8", "exact_pixels": True, "full_range": False},
        "levels of the input",
    ),
    "calibration of float16": (
        {"scheme": "float16", "calibration": "random"}, "float16 .* is not calibrated"
    ),
    "images to calibrate dynamic on": (
        {"scheme": "dynamic", "calibration_images": 20}, "dynamic .* is not calibrated"
    ),
    "levels of float16": (
        {"scheme": "float16", "full_range": False}, "float16 .* is not calibrated"
    ),
    "images on which nothing is measured": (
        {"scheme": "int8", "validation_images": 20}, "no error of a layer is measured"
    ),
}  # fmt: skip


def config_of(step: Mapping[str, Any]) -> dict[str, Any]:
    return merged(CONFIG, {"variants": {"int8": [{"quantize": dict(step)}]}})


def check(step: Mapping[str, Any], folder: Path) -> None:
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(config_of(step)))
    load(path)


def applied(step: Mapping[str, Any], fix: str) -> dict[str, Any]:
    """Return the step with what a fix says to add, to write or to leave away."""
    step = dict(step)
    away = re.search(r"leave (\w+)(?: and (\w+))? away", fix)
    for key, value in re.findall(r"(?:add|write|use|with|and) (\w+): (\[[^\]]*\]|[\w.]+)", fix):
        step[key] = yaml.safe_load(value)
    if away and not re.match("use|write|add", fix):
        for key in away.groups():
            step.pop(key, None)
    elif away and away[1] == "full_range":
        del step["full_range"]
    return step


@pytest.mark.parametrize("name", WRONG)
def test_what_makes_no_sense_is_refused_and_the_fix_helps(name: str, tmp_path: Path) -> None:
    step, said = WRONG[name]
    with pytest.raises(UserError, match=said) as caught:
        check(step, tmp_path)
    assert "variants.int8[0].quantize" in caught.value.what
    check(applied(step, caught.value.fix), tmp_path)


def test_names_of_layers_may_be_one_or_many(tmp_path: Path) -> None:
    for given in ("pool", ["pool"], ["pool", "output"]):
        check({"scheme": "int8", "float_layers": given}, tmp_path)
    with pytest.raises(UserError, match="float_layers"):
        check({"scheme": "int8", "float_layers": [1]}, tmp_path)


def test_a_network_that_a_scheme_leaves_in_float_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.config import quantization_faults

    step = {"scheme": "int16x8"}
    check(step, tmp_path)
    known = {"conv": ("PReLU", frozenset({"int16x8"}))}
    monkeypatch.setattr(quantization_faults, "_LEFT_IN_FLOAT", known)
    with pytest.raises(UserError, match="conv has PReLU, which scheme int16x8 leaves") as caught:
        check(step, tmp_path)
    check(applied(step, caught.value.fix), tmp_path)
    added = caught.value.fix.partition("or ")[2]
    check(applied(step, added), tmp_path)
