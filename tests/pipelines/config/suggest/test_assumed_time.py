"""Assumed times: near what was measured, and longer for what computes more."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.config.suggest.assumed_time import teacher_minutes
from tests.pipelines.config.suggest.situations import situation, suggested

LETTERS: dict[str, Any] = {
    "backbone": "conv", "stem": "full", "head": "depthwise", "widths": [24, 48, 96, 96],
    "residuals": [0, 1, 1, 1], "turns": True, "mirrors": True, "epochs": 11,
}  # fmt: skip
SQUARE: dict[str, Any] = {"image": {"height": 32, "width": 32, "channels": 1}}


def minutes(folder: Path, images: int = 14_779, **teacher: Any) -> float:
    given = {"backbone": "conv", "epochs": 11, **teacher}
    return teacher_minutes(
        situation(folder, auto={"images": images}, **SQUARE | {"teacher": given})
    )


def test_the_teacher_of_omniglot_takes_about_what_it_took(tmp_path: Path) -> None:
    """Measured on 2 cores, of 14,779 drawings that train: 19.5 minutes."""
    assert minutes(tmp_path, **LETTERS) == pytest.approx(19.5, rel=0.25)


def test_a_step_of_four_convolutions_takes_about_what_it_took(tmp_path: Path) -> None:
    """Measured: 0.1 s for 512 images."""
    one, two = (minutes(tmp_path, 51_200 * n, epochs=1, widths=[32, 64, 64, 64]) for n in (1, 2))
    assert 60 * (two - one) / 100 == pytest.approx(0.1, rel=0.3)


@pytest.mark.parametrize("key", ["stem", "residuals", "turns", "mirrors"])
def test_what_computes_more_takes_longer(tmp_path: Path, key: str) -> None:
    less = {name: value for name, value in LETTERS.items() if name != key}
    if key == "turns":
        del less["mirrors"]  # which are of turned letters
    assert minutes(tmp_path, **LETTERS) > 1.4 * minutes(tmp_path, **less)


def test_a_time_that_the_teacher_alone_takes_leaves_one_variant_and_says_so(tmp_path: Path) -> None:
    found = suggested(tmp_path, **SQUARE | {"teacher": LETTERS},
                      auto={"images": 14_779, "minutes": 15})  # fmt: skip
    assert len(found.variants) == 1
    assert found.teacher_minutes > 15
