"""Students by size: what is counted beforehand holds for the file, and fits the budget."""

from pathlib import Path
from typing import Any

import pytest

from components.ml.settings import Network
from pipelines.config.suggest.plan import plan_of
from pipelines.config.suggest.students import network_bytes, student_of
from tests.pipelines.config.suggest.situations import situation, suggested


@pytest.mark.parametrize("side", [8, 28, 32, 56, 112, 224])
@pytest.mark.parametrize("task", ["verification", "classification"])
@pytest.mark.parametrize("size_bytes", [12_000, 40_000, 100_000, 700_000, 3_000_000])
def test_students_fit_and_fill(tmp_path: Path, side: int, task: str, size_bytes: int) -> None:
    found = student_of(situation(tmp_path, side=side, task=task), size_bytes)
    assert found.int8_bytes <= size_bytes or (found.widths or (0,))[0] == 4
    assert found.int8_bytes >= size_bytes / 3 or found.widths == max_widths(found.widths)
    if found.resolution:
        assert found.resolution <= side
    assert (found.embedding is None) == (task == "classification")


def max_widths(widths: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """The widest plain net that is suggested begins with 96 channels."""
    return widths if widths and widths[0] == 96 else None


def test_a_larger_budget_never_gives_a_smaller_student(tmp_path: Path) -> None:
    found = situation(tmp_path, side=128)
    sizes = [student_of(found, size).int8_bytes for size in range(5_000, 3_000_000, 20_000)]
    assert sizes == sorted(sizes)


def test_what_is_counted_is_what_files_take(tmp_path: Path) -> None:
    """Measured: MobileNetV2 of width 0.35 with 128 numbers, and conv of width 0.25 with 64."""
    faces = situation(tmp_path, side=46)
    mobilenet = network_bytes(faces, Network(backbone="mobilenet_v2", alpha=0.35))
    assert mobilenet == pytest.approx(784_624, rel=0.01)
    conv = network_bytes(faces, Network(backbone="conv", alpha=0.25))
    assert conv == pytest.approx(36_192 + 64 * (32 + 28), rel=0.03)
    assert network_bytes(faces, Network(backbone="resnet50")) == pytest.approx(24.5e6, rel=0.03)
    assert network_bytes(faces, Network(backbone="efficientnet_b0")) is None


def test_of_many_classes_the_last_layer_is_counted(tmp_path: Path) -> None:
    """1,000 classes of 1,280 numbers are 1.3 MB, which do not fit beside a network into 1 MB."""
    given: dict[str, Any] = {"task": "classification", "side": 224}
    few, many = (
        student_of(situation(tmp_path, auto={"classes": classes}, **given), 1_000_000)
        for classes in (10, 1_000)
    )
    assert few.backbone == "mobilenet_v2"
    assert many.int8_bytes <= 1_000_000
    assert many.backbone == "conv"
    wide = student_of(situation(tmp_path, auto={"classes": 1_000}, **given), 2_500_000)
    assert wide.backbone == "mobilenet_v2"
    assert 1_280_000 < wide.int8_bytes <= 2_500_000
    assert wide.alpha is not None
    assert wide.alpha < 0.75  # as it would be for ten classes


@pytest.mark.parametrize("size_mb", [None, 0.1, 5, 20, 500])
def test_smaller_ones_are_tried_however_large_the_budget_is(
    tmp_path: Path, size_mb: float | None
) -> None:
    budgets = {"drop": 0.02} | ({} if size_mb is None else {"size_mb": size_mb})
    for teacher in ("trained", "plain", "imported"):
        found = suggested(tmp_path, teacher, budgets=budgets)
        assert {"student-int8", "small-int8", "tiny-int8"} <= set(found.plain), teacher
        (reason,) = (one.reason for one in found.variants if one.name == "student-int8")
        assert ("fills the size budget" in reason) == (size_mb == 0.1)


def test_no_student_is_larger_than_its_teacher(tmp_path: Path) -> None:
    small = {"backbone": "conv", "alpha": 0.25}
    found = suggested(tmp_path, teacher=small, budgets={"size_mb": 5, "drop": 0.02})
    network = found.situation.network
    assert network
    largest = network_bytes(found.situation, network)
    assert largest
    first = plan_of(found.situation, 60.0).students[0]
    assert largest / 2 < first.int8_bytes <= largest
