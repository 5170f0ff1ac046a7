"""Which techniques may follow each other on a path, and why the others may not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import pytest

from pipelines.config.checking import faults_of
from pipelines.config.configuration import Config
from tests.pipelines.applied import CONFIG

Step = Mapping[str, Mapping[str, Any]]

STUDENT: Step = {"distill": {"backbone": "conv"}}
ZEROS: Mapping[str, Step] = {
    "weights": {"prune": {"method": "weights", "sparsity": 0.5}},
    "tfmot": {"prune": {"method": "tfmot", "sparsity": 0.5}},
}
STRUCTURE: Mapping[str, Step] = {
    "channels": {"prune": {"method": "channels"}}, "layers": {"prune": {"method": "layers"}},
}  # fmt: skip
VALUES: Mapping[str, Step] = {
    "centroids": {"cluster": {"method": "centroids"}}, "grid": {"cluster": {"method": "grid"}},
}  # fmt: skip
PLANS: Mapping[str, Step] = {
    scheme: {"quantize": {"scheme": scheme}}
    for scheme in ("float16", "dynamic", "int8", "w4a8", "int16x8")
}
ROUNDED: Mapping[str, Step] = {
    "own": {"quantize_aware": {}}, "own-tfmot": {"quantize_aware": {"method": "tfmot"}},
}  # fmt: skip
ALL = {**ZEROS, **STRUCTURE, **VALUES, **PLANS, **ROUNDED}

LOST_ZEROS = "zeros of an earlier step would be lost"
LOST_VALUES = "values that cluster shared would be lost"
NO_FEWER = "no fewer values of the same kind"
ANEW = "chooses zeros anew"
AGAIN = "has decided already in what the file computes"
NOTHING_FOLLOWS = "nothing can follow"
ROUNDING_UNDONE = "pruning undoes the rounding"
TFMOT_UNDOES = "method tfmot does not keep"


def said(*steps: Step, student: Step = STUDENT) -> list[str]:
    """Return what a configuration of classes says of a path behind a student."""
    path = [student, *steps]
    given = {**CONFIG, "task": "classification", "variants": {"a": path}}
    return [what for _, what, _ in faults_of(Config.model_validate(given))]


def reason(first: str, second: str) -> str | None:
    """Return why one technique makes no sense right behind another; None where it does."""
    if first in PLANS or (first in ROUNDED and second in (*PLANS, *ROUNDED)):
        return AGAIN if second in (*PLANS, *ROUNDED) else NOTHING_FOLLOWS
    if first in ROUNDED:
        return ROUNDING_UNDONE if second in (*ZEROS, *STRUCTURE) else NOTHING_FOLLOWS
    if second == "own-tfmot":
        return TFMOT_UNDOES if first in (*ZEROS, *VALUES) else None
    if first in ZEROS and second in STRUCTURE:
        return LOST_ZEROS
    if first in VALUES and second in (*ZEROS, *STRUCTURE):
        return LOST_VALUES
    if first in ZEROS and second in ZEROS:
        return ANEW
    return NO_FEWER if first in VALUES and second in VALUES else None


@pytest.mark.parametrize("first", ALL)
def test_every_pair_is_taken_or_refused_with_its_reason(first: str) -> None:
    for second, step in ALL.items():
        found, expected = said(ALL[first], step), reason(first, second)
        if expected is None:
            assert not found, (first, second)
        else:
            assert [what for what in found if expected in what], (first, second, found)
            assert all(what.startswith("variants.a[") for what in found)


def test_three_in_a_row_are_refused_exactly_where_two_of_them_are() -> None:
    """But for pruning after training through the rounding, behind which that is done again."""
    for names in product(ALL, repeat=3):
        first, second, third = names
        pairs = [(first, second), (second, third), (first, third)]
        wrong = [reason(*pair) for pair in pairs]
        if first in ROUNDED and second in (*ZEROS, *STRUCTURE) and third in (*PLANS, *ROUNDED):
            wrong = [reason(second, third)]
        assert bool(said(*(ALL[name] for name in names))) is any(wrong), names


NOT_TRAINED = {"cluster": {"fine_tune": False}}
BY_TFMOT = {"prune": {"method": "tfmot"}}
OF_LABELS = {"prune": {"label_weight": 1}}


@pytest.mark.parametrize(
    ("step", "name", "value", "written"),
    [
        (NOT_TRAINED, "epochs", 2, {"fine_tune": True}),
        (NOT_TRAINED, "learning_rate", 0.1, {"fine_tune": True}),
        (NOT_TRAINED, "label_weight", 0.5, {"fine_tune": True}),
        (NOT_TRAINED, "augment", "light", {"fine_tune": True}),
        (NOT_TRAINED, "views", 2, {"fine_tune": True}),
        (BY_TFMOT, "views", 2, {"method": "weights"}),
        (BY_TFMOT, "mixup", 2, {"method": "weights"}),
        (OF_LABELS, "views", 2, {"label_weight": 0.5}),
        (OF_LABELS, "answers_of", "model", {"label_weight": 0.5}),
    ],
)  # fmt: skip
def test_what_a_step_would_not_read_is_refused_and_both_fixes_help(
    step: Step, name: str, value: object, written: Mapping[str, Any]
) -> None:
    ((component, given),) = step.items()
    path = [STUDENT, {component: {**given, name: value}}]
    config = {**CONFIG, "task": "classification", "variants": {"a": path}}
    (fault,) = faults_of(Config.model_validate(config))
    assert f"variants.a[1].{component}.{name}: " in fault[1]
    ((key, new),) = written.items()
    shown = str(new).lower() if isinstance(new, bool) else new
    assert fault[2] == f"remove {name} there, or write {key}: {shown}"
    assert said(step) == []
    assert said({component: {**given, name: value, **written}}) == []


@pytest.mark.parametrize(
    ("steps", "expected", "fixed"),
    [
        (
            [VALUES["centroids"], ZEROS["weights"]], (LOST_VALUES, "move cluster behind this step"),
            [ZEROS["weights"], VALUES["centroids"]],
        ),
        (
            [ZEROS["weights"], {"prune": {"sparsity": 0.4}}],
            (ANEW, "write a sparsity above 0.5"), [ZEROS["weights"], {"prune": {"sparsity": 0.8}}],
        ),
        (
            [VALUES["grid"], VALUES["centroids"]], (NO_FEWER, "remove one of the two"),
            [VALUES["centroids"]],
        ),
        (
            [VALUES["grid"], VALUES["grid"]], (NO_FEWER, "remove one of the two"),
            [VALUES["grid"], {"cluster": {"method": "grid", "bits": 3}}],
        ),
        (
            [VALUES["centroids"], {"cluster": {"clusters": 8, "per": "channel"}}],
            (NO_FEWER, "remove one of the two"), [VALUES["centroids"], {"cluster": {"clusters": 8}}],
        ),
        (
            [ROUNDED["own"], ZEROS["weights"]],
            (ROUNDING_UNDONE, "add quantize: {scheme: int8} at the end of the path"),
            [ROUNDED["own"], ZEROS["weights"], PLANS["int8"]],
        ),
        (
            [ROUNDED["own"], VALUES["grid"], PLANS["int8"]], (AGAIN, "remove one of the two"),
            [VALUES["grid"], PLANS["int8"]],
        ),
        (
            [PLANS["int8"], ZEROS["weights"], ROUNDED["own"]], (AGAIN, "remove one of the two"),
            [ZEROS["weights"], ROUNDED["own"]],
        ),
        (
            [ROUNDED["own"], STRUCTURE["channels"]],
            (ROUNDING_UNDONE, "move quantize_aware there"), [STRUCTURE["channels"], ROUNDED["own"]],
        ),
    ],
)  # fmt: skip
def test_the_fix_makes_a_path_of_it(
    steps: Sequence[Step], expected: tuple[str, str], fixed: Sequence[Step]
) -> None:
    what, fix = expected
    given = {**CONFIG, "task": "classification", "variants": {"a": [STUDENT, *steps]}}
    (fault,) = faults_of(Config.model_validate(given))
    assert what in fault[1]
    assert fix in fault[2]
    assert said(*fixed) == []
