"""Networks that a configuration refuses before anything runs; without what it names, they pass."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.contract.errors import UserError
from pipelines.config.loading import load

CONFIG: dict[str, Any] = {
    "name": "letters",
    "task": "verification",
    "data": "./letters",
    "image": {"height": 32, "width": 32, "channels": 1},
    "teacher": {"backbone": "resnet50"},
    "variants": {"student": [{"distill": {"backbone": "conv"}}]},
}


def check(folder: Path, config: dict[str, Any]) -> None:
    path = folder / "letters.yaml"
    path.write_text(yaml.safe_dump(config))
    load(path)


def changed(
    teacher: dict[str, Any] | None, student: dict[str, Any], **top: Any
) -> dict[str, Any]:  # fmt: skip
    config = {**deepcopy(CONFIG), **top}
    config["teacher"] = teacher or config["teacher"]
    config["variants"]["student"][0]["distill"] |= student
    return config


CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], str, str]] = {
    "one width": (
        {"backbone": "resnet50", "alpha": 0.5}, {}, {},
        "teacher.alpha: backbone: mobilenet_v1, ", "remove alpha there, or write backbone: mobilenet_v1",
    ),
    "widths of another": (
        {}, {"backbone": "mobilenet_v1", "widths": [8, 16]}, {},
        "variants.student[0].distill.widths: backbone: conv alone has it, and backbone is",
        "remove widths there, or write backbone: conv",
    ),
    "two widths": (
        {}, {"widths": [8, 16], "alpha": 0.5}, {},
        "distill.alpha: widths: null alone has it, and widths is [8, 16]", "remove alpha there",
    ),
    "expansion": (
        {}, {"expansion": 3.0}, {}, "distill.expansion: backbone: mobilenet_v2, ",
        "remove expansion",
    ),
    "head of a matrix": (
        {}, {"backbone": "linear", "head": "pooled"}, {},
        "distill.head: backbone: resnet50, ", "remove head",
    ),
    "epochs of a fit": (
        {"backbone": "linear", "epochs": 5}, {}, {},
        "teacher.epochs: it means nothing for a linear map", "remove epochs",
    ),
    **{
        f"{name} of classes": (
            {}, {name: 8}, {"task": "classification"},
            f"distill.{name}: it is about images that are compared", f"remove {name}",
        )
        for name in (
            "margin", "scale_of_cosines", "contrast_weight", "identities_per_batch",
            "images_per_identity",
        )
    },
    "balanced identities": (
        {}, {"class_weight": "balanced"}, {}, "distill.class_weight: it is for classification",
        "remove class_weight",
    ),
    "turned rectangles": (
        {}, {"turns": True}, {"image": {"height": 32, "width": 24, "channels": 1}},
        "distill.turns: images of 32 x 24 do not fit",
        "write image: {height: 24, width: 24}, or remove turns",
    ),
    "turned classes": (
        {}, {"turns": True}, {"task": "classification"},
        "distill.turns: it is about identities of turned images", "remove turns",
    ),
    "turns of answers": (
        {"outputs": "answers.npz"}, {"turns": True}, {},
        "distill.turns: the teacher is known by its answers", "remove turns",
    ),
    "classes in an embedding": (
        {}, {"embedding_norm": True}, {"task": "classification"},
        "distill.embedding_norm: it is about embeddings", "remove embedding_norm",
    ),
    "mirrored classes": (
        {}, {"mirrors": True}, {"task": "classification"},
        "distill.mirrors: it is about identities of mirror images", "remove mirrors",
    ),
    "mirror images of answers": (
        {"outputs": "answers.npz"}, {"mirrors": True}, {},
        "distill.mirrors: the teacher is known by its answers", "remove mirrors",
    ),
    "mirror images that are the same and are not": (
        {}, {"mirrors": True, "flip": True}, {},
        "distill.flip: mirror images are identities of their own", "remove flip",
    ),
    "stem of another": (
        {}, {"backbone": "mobilenet_v2", "stem": "full"}, {},
        "distill.stem: backbone: conv alone has it", "remove stem",
    ),
    "stem without widths": (
        {}, {"stem": "full"}, {}, "distill.stem: stem is full and is about blocks of given widths",
        "leave stem away, or set widths",
    ),
    "residuals without widths": (
        {}, {"residuals": [1]}, {}, "distill.residuals: residuals is [1] and is about blocks",
        "leave residuals away, or set widths",
    ),
    "too few residuals": (
        {}, {"widths": [8, 16, 16], "residuals": [0, 1]}, {},
        "distill.residuals: residuals is [0, 1] and widths [8, 16, 16]: one number for each block",
        "set residuals: [0, 1, 0]",
    ),
    "more pixels than there are": (
        {}, {"resolution": 33}, {}, "distill.resolution: it is 33, and the images have 32 x 32",
        "write 32 or below, or remove resolution",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_means_nothing_is_refused_and_without_it_the_file_is_valid(case, tmp_path):
    teacher, student, top, what, fix = case
    with pytest.raises(UserError) as caught:
        check(tmp_path, changed(teacher, student, **top))
    assert what in caught.value.what
    assert fix in caught.value.fix
    name = what.partition(":")[0].rpartition(".")[2]
    without = [{k: v for k, v in given.items() if k != name} for given in (teacher, student)]
    check(tmp_path, changed(*without, **top))


def test_what_the_parts_can_all_have_is_taken(tmp_path):
    student = {
        "widths": [16, 32, 48, 48], "head": "depthwise", "embedding_norm": True, "turns": True,
        "augment": "affine", "pointwise": "dense", "resolution": 28, "depth": 2.0,
        "stem": "full", "residuals": [0, 1, 2, 0], "mirrors": True,
    }  # fmt: skip
    check(tmp_path, changed({"backbone": "linear", "augment": "affine"}, student))
