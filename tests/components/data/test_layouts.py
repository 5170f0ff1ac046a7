"""Folders that say no label: each is told, and what is advised leads to data that is used."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from components.contract.errors import UserError
from components.data.layouts import advice, boxes_beside, check_layout, masks_beside, splits_below
from components.data.placing import Place, layout_of
from tests.pipelines.applied import CONFIG, fix_of, ingested, merged, people, refused

BY_IMAGE = merged(CONFIG, {"split": {"by": "image"}, "task": "classification"})
SPLITS = ["Test/anna/1.png", "train/ben/1.png", "val/cleo/1.png", "labels.csv"]
ALPHABETS = ["Greek/alpha/1.png", "Latin/a/1.png"]


def test_the_advice_fits_the_layout():
    assert "split: {labels: path}" in advice(ALPHABETS)
    assert advice([*SPLITS, "extra/a/1.png"]).startswith("move extra out of the data folder")


BELOW = ["ant/train/1.png", "ant/test/1.png", "bee/train/1.png", "notes.txt"]


def test_splits_below_labels_are_moved_above_them():
    assert splits_below(BELOW) == "ant/train/1.png"
    assert "train/ant/1.png in place of ant/train/1.png" in advice(BELOW)
    moved = [f"{split}/{label}/{name}" for label, split, name in (
        path.split("/") for path in BELOW if "/" in path)]  # fmt: skip
    assert splits_below(moved) is None
    layout = layout_of([*moved, "notes.txt"], "folder")
    assert layout.place(moved[0]) == Place("ant", "train")
    for others in (["ant/train/1.png", "bee/train/1.png"], ["ant/a/1.png", "ant/test/1.png"]):
        assert splits_below(others) is None, "a class may be called train"


@pytest.mark.parametrize(
    ("image", "text"),
    [
        ("images/1.jpg", "labels/1.txt"),
        ("images/train/1.jpg", "labels/train/1.txt"),
        ("train/images/a.b.jpg", "train/labels/a.b.txt"),
    ],
)
def test_boxes_beside_images_are_told_from_labels(image: str, text: str) -> None:
    names = ["data.yaml", image, text, "images/none.jpg"]
    assert boxes_beside(names) == (image, text)
    assert advice(names).startswith(f"{text} looks like the boxes of {image}")
    for others in ([image, "notes.txt"], ["ant/1.jpg", "ant/1.txt"], [text]):
        assert boxes_beside(others) is None


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("images/1.jpg", "masks/1.png"),
        ("train/images/1.jpg", "train/masks/1.png"),
        ("JPEGImages/a.b.jpg", "SegmentationClass/a.b.png"),
    ],
)
def test_masks_beside_images_are_told_from_labels(image: str, mask: str) -> None:
    names = ["notes.txt", image, mask]
    assert masks_beside(names) == (image, mask)
    with pytest.raises(UserError, match=f"{mask} looks like the mask of {image}") as caught:
        check_layout(names, layout_of(names, "folder"))
    assert f"rename {mask.split('/')[-2]}" in caught.value.fix
    for others in (
        [image, mask.replace("1.", "2.").replace("a.b", "c")],
        [image, mask, "ant/1.png"],
        [image, "ant/1.png"],
        [image],
    ):
        assert masks_beside(others) is None
        check_layout(others, layout_of(others, "folder"))


def test_images_and_masks_are_no_classes_unless_one_is_renamed(tmp_path: Path) -> None:
    people(tmp_path, {"images": 20, "masks": 20})
    fix = refused(BY_IMAGE, tmp_path, "masks/0.png looks like the mask of images/0.png").fix
    assert fix.endswith("rename masks")
    (tmp_path / "data/masks").rename(tmp_path / "data/with masks")
    ingested(BY_IMAGE, tmp_path)


def test_splits_without_labels_are_put_into_folders_of_labels(tmp_path: Path) -> None:
    """As in Dogs vs. Cats: ``train/cat.0.jpg``, ``test/0.jpg``; nothing may learn these names."""
    people(tmp_path, {"train": 40, "Test": 20})
    (tmp_path / "data/LICENSE").touch()
    error = refused(BY_IMAGE, tmp_path, "Test and train are called as splits and hold images")
    made, before = re.findall(r"\S+\.png", error.fix)
    assert (made, before) == ("Test/LABEL/0.png", "Test/0.png")
    for number, path in enumerate(sorted((tmp_path / "data").rglob("*.png"))):
        label = path.parent / "ab"[number % 2]
        label.mkdir(exist_ok=True)
        path.rename(label / path.name)
    ingested(BY_IMAGE, tmp_path)


def test_splits_without_labels_are_listed(tmp_path: Path) -> None:
    people(tmp_path, {"train": 40, "test": 20})
    fix = fix_of(BY_IMAGE, tmp_path)
    assert "the columns path, label and split" in fix
    images = sorted((tmp_path / "data").rglob("*.png"))
    names = [str(path.relative_to(tmp_path / "data")) for path in images]
    rows = [f"{name},{'ab'[n % 2]},{name.split('/')[0]}" for n, name in enumerate(names)]
    (tmp_path / "data/list.csv").write_text("\n".join(["path,label,split", *rows]))
    ingested(merged(BY_IMAGE, {"data": "./data/list.csv"}), tmp_path)


def test_a_class_may_be_called_as_a_split_beside_others(tmp_path: Path) -> None:
    people(tmp_path, {"train": 20, "bus": 20})
    ingested(BY_IMAGE, tmp_path)


@pytest.mark.parametrize(
    "tops", [("train_set", "test_set"), ("train", "dev"), ("Training", "eval", "test")]
)
def test_folders_that_are_splits_by_another_name_are_called_as_such(
    tops: tuple[str, ...], tmp_path: Path
) -> None:
    people(tmp_path, {f"{top}/{label}": 20 for top in tops for label in "ab"})
    fix = fix_of(BY_IMAGE, tmp_path)
    assert "train, val or test, as what each is" in fix
    for top in re.findall(r"[\w]+(?=,| train)", fix.partition(" train, val")[0] + " train"):
        called = next(word for word in ("train", "test", "val") if word in top or word == "val")
        (tmp_path / "data" / top).rename(tmp_path / "data" / called)
    ingested(BY_IMAGE, tmp_path)


@pytest.mark.parametrize("around", ["set", "archive/set"])
@pytest.mark.parametrize("inside", [("a", "b"), ("train/a", "train/b", "test/a", "test/b")])
def test_the_folder_around_all_others_is_left_out(
    around: str, inside: tuple[str, ...], tmp_path: Path
) -> None:
    people(tmp_path, {f"{around}/{name}": 20 for name in inside})
    fix = fix_of(BY_IMAGE, tmp_path)
    assert fix.startswith(f"give the folder {around} in it as the data; or set split: ")
    ingested(merged(BY_IMAGE, {"data": f"./data/{around}"}), tmp_path)
    shutil.rmtree(tmp_path / "data")


def test_a_folder_with_images_of_its_own_is_not_around_others() -> None:
    assert "give the folder" not in advice(["ant/1.png", "ant/more/1.png"])
    assert "give the folder" not in advice(["ant/more/1.png"])
    assert "give the folder" not in advice(["train/ant/more/1.png", "train/bee/more/1.png"])
