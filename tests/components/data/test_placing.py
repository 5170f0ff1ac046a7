"""What paths say: splits, labels, groups."""

from __future__ import annotations

import pytest

from components.data.placing import (
    BESIDE,
    DEEPER,
    Place,
    advice,
    boxes_beside,
    layout_of,
    splits_below,
)

PEOPLE = ["anna/1.png", "ben/1.png", "LICENSE"]
SPLITS = ["Test/anna/1.png", "train/ben/1.png", "val/cleo/1.png", "labels.csv"]
ALPHABETS = ["Greek/alpha/1.png", "Latin/a/1.png"]


@pytest.mark.parametrize(
    ("names", "labels", "places"),
    [
        (PEOPLE, "folder", [Place("anna"), Place("ben"), Place("", fault=BESIDE)]),
        (
            SPLITS,
            "folder",
            [
                Place("anna", "test"),
                Place("ben", "train"),
                Place("cleo", "val"),
                Place("", fault=BESIDE),
            ],
        ),
        (ALPHABETS, "folder", [Place("Greek", fault=DEEPER), Place("Latin", fault=DEEPER)]),
        (
            ALPHABETS,
            "path",
            [Place("Greek/alpha", group="Greek"), Place("Latin/a", group="Latin")],
        ),
        (
            [f"train/{name}" for name in ALPHABETS],
            "path",
            [Place("Greek/alpha", "train", "Greek"), Place("Latin/a", "train", "Latin")],
        ),
        # A class may be called train (and hold images); a test folder may have no labels at all.
        (["train/1.png", "test/1.png"], "folder", [Place("train"), Place("test")]),
        (
            ["train/a/1.png", "test/1.png"],
            "folder",
            [Place("a", "train"), Place("", "test", fault=BESIDE)],
        ),
    ],
)
def test_places(names, labels, places):
    layout = layout_of(names, labels)
    assert [layout.place(name) for name in names] == places


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
