"""What paths say: splits, labels, groups."""

from __future__ import annotations

import pytest

from components.data.placing import BESIDE, DEEPER, Place, layout_of

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
        # Such folders are refused; a test folder may have no labels at all.
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
