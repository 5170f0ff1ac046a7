"""What a configuration says of distillation that cannot be, and the fix that it gives applied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from components.contract.errors import UserError
from pipelines.config.loading import load

if TYPE_CHECKING:
    from pathlib import Path

VERIFICATION = {
    "name": "faces",
    "task": "verification",
    "data": "./data",
    "image": {"height": 8, "width": 8},
    "teacher": {"backbone": "conv"},
}
CLASSES = {**VERIFICATION, "task": "classification"}
ANSWERS = {**CLASSES, "teacher": {"outputs": "./answers.npz"}}
EMBEDDED = {**VERIFICATION, "teacher": {"outputs": "./answers.npz"}}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "of the other task": (
        VERIFICATION, {"temperature": 2.0}, "it is for classification", "remove temperature",
    ),
    "of this task": (CLASSES, {"label_weight": 1.0}, "for verification", "remove label_weight"),
    "hints of answers": (ANSWERS, {"hint_weight": 1.0}, "no layers to take", "remove hint_weight"),
    "attention of answers": (
        ANSWERS, {"attention_weight": 1.0}, "no layers whose", "remove attention_weight",
    ),
    "mixed images of answers": (ANSWERS, {"mixup": 4}, "cannot be asked", "remove mixup"),
    "turned images of answers": (EMBEDDED, {"turns": True}, "about turned", "remove turns"),
    "mirrored images of answers": (
        EMBEDDED, {"mirrors": True}, "about mirrored", "remove mirrors",
    ),
    "a distribution of classes": (
        CLASSES, {"distribution_weight": 1.0}, "it is for verification",
        "remove distribution_weight",
    ),
    "temperature of no distribution": (
        VERIFICATION, {"distribution_temperature": 0.1}, "no distribution is learned",
        "write distribution_weight: 1, or remove distribution_temperature",
    ),
    "temperature of no probabilities": (
        CLASSES, {"soft_weight": 0.0, "temperature": 2.0}, "no probabilities are learned",
        "write soft_weight: 0.7, or remove temperature",
    ),
    "nothing": (
        VERIFICATION, {"label_weight": 0.0, "embedding_weight": 0.0, "relational_weight": 0},
        "label_weight: it is 0, and so is the weight of everything", "write distribution_weight: 1",
    ),
    "one layer": (
        CLASSES, {"hint_weight": 1.0, "hint_layers": ["only"]}, "at least 2 items", "correct",
    ),
}  # fmt: skip


def loaded(config: dict[str, Any], settings: dict[str, Any], folder: Path) -> Any:
    file = folder / "my.yaml"
    variants = {"student": [{"distill": {"backbone": "conv", **settings}}]}
    file.write_text(yaml.safe_dump({**config, "variants": variants}))
    return load(file)


@pytest.mark.parametrize("name", CASES)
def test_a_setting_that_means_nothing_is_refused_and_the_fix_works(
    name: str, tmp_path: Path
) -> None:
    config, settings, what, fix = CASES[name]
    with pytest.raises(UserError, match=what) as caught:
        loaded(config, settings, tmp_path)
    assert fix in caught.value.fix
    written, _, left = fix.partition(", or remove ")
    if written.startswith("write "):
        key, _, value = written.removeprefix("write ").partition(": ")
        loaded(config, {**settings, key: float(value)}, tmp_path)
        if not left:
            return
    removed = left or (fix.removeprefix("remove ") if fix != "correct" else "hint_layers")
    loaded(config, {key: value for key, value in settings.items() if key != removed}, tmp_path)


def test_named_layers_without_a_use_for_them_are_refused(tmp_path: Path) -> None:
    layers = {"hint_layers": ["conv4", "block2_relu"]}
    with pytest.raises(UserError, match="neither hints nor attention") as caught:
        loaded(CLASSES, layers, tmp_path)
    assert "write hint_weight: 1 beside it" in caught.value.fix
    loaded(CLASSES, {**layers, "hint_weight": 1.0}, tmp_path)
    loaded(CLASSES, {**layers, "attention_weight": 1.0}, tmp_path)


PRUNED: dict[str, tuple[dict[str, Any], dict[str, Any], str, dict[str, Any]]] = {
    "tfmot without classes": (
        VERIFICATION, {"method": "tfmot"}, "the task is verification", {"method": "weights"},
    ),
    "mixed images of answers": (
        ANSWERS, {"mixup": 4}, "cannot be asked about mixed", {"mixup": 4, "answers_of": "model"},
    ),
    "turned images of answers": (
        EMBEDDED, {"turns": True, "answers_of": "teacher"}, "cannot be asked about turned",
        {"turns": True, "answers_of": "model"},
    ),
    "mirrored images of answers": (
        EMBEDDED, {"mirrors": True, "answers_of": "teacher"}, "cannot be asked about mirrored",
        {"mirrors": True, "answers_of": "model"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PRUNED)
def test_what_pruning_cannot_learn_from_is_refused_and_the_fix_works(
    name: str, tmp_path: Path
) -> None:
    config, settings, what, fixed = PRUNED[name]

    def load_with(prune: dict[str, Any]) -> None:
        path = [{"distill": {"backbone": "conv"}}, {"prune": prune}]
        file = tmp_path / "my.yaml"
        file.write_text(yaml.safe_dump({**config, "variants": {"pruned": path}}))
        load(file)

    with pytest.raises(UserError, match=what) as caught:
        load_with(settings)
    key, value = list(fixed.items())[-1]
    assert f"write {key}: {value}" in caught.value.fix
    load_with(fixed)


@pytest.mark.parametrize("method", ["channels", "layers"])
def test_who_asks_no_teacher_may_mix_images_as_it_likes(method: str, tmp_path: Path) -> None:
    path = [{"distill": {"backbone": "conv"}}, {"prune": {"method": method, "mixup": 4}}]
    file = tmp_path / "my.yaml"
    file.write_text(yaml.safe_dump({**ANSWERS, "variants": {"pruned": path}}))
    load(file)
