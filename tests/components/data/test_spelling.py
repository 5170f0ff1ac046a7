"""Labels that are one name to a person."""

from __future__ import annotations

import pytest

from components.contract.errors import UserError
from components.data.images_found import SourceImage
from components.data.spelling import SameName, respelled, same_groups, same_names

ZOE, ZOE_APART = "Zo\u00eb", "Zoe\u0308"


def _images(*labels: str) -> list[SourceImage]:
    return [SourceImage(f"{n}", f"{n}", label, f"{n}") for n, label in enumerate(labels)]


@pytest.mark.parametrize(
    "labels", [(ZOE, ZOE_APART), ("kim", "Kim"), ("al", "al "), ("Stra\u00dfe", "STRASSE"),
               ("A/x", "a/X ")],
)  # fmt: skip
def test_one_name_is_found_whatever_differs(labels):
    assert same_names(_images(*labels, "other")) == [
        SameName(min(labels), tuple(label for label in labels if label != min(labels)))
    ]


def test_other_names_are_left_alone():
    assert same_names(_images("p1", "p01", "1", "1.0", "a b", "ab", "Zoe", ZOE)) == []


def test_refused_by_name_unless_told_what_they_are():
    images = _images("kim", "Kim", "Kim", "Kim ", ZOE, ZOE_APART, "p")
    found = same_names(images)
    with pytest.raises(UserError, match="2 names are spelt in more than one way") as caught:
        respelled(images, found, [], "refuse")
    assert "'Kim' and 'Kim ' and 'kim'" in caught.value.what
    assert r"'Zoe\u0308' and 'Zo\xeb'" in caught.value.what  # which look the same otherwise
    assert respelled(images, found, [], "apart") == images
    merged = respelled(images, found, [], "merge")
    assert [image.label for image in merged] == ["Kim"] * 4 + [ZOE_APART] * 2 + ["p"]
    assert same_names(merged) == []


def test_groups_are_treated_as_labels_are():
    groups = ("Oslo", "oslo", "oslo", ZOE, ZOE_APART, None)
    images = [SourceImage(f"{n}", f"{n}", "p", f"{n}", group=name) for n, name in enumerate(groups)]
    found = same_groups(images)
    assert [str(same) for same in found] == ["'oslo' and 'Oslo'", r"'Zoe\u0308' and 'Zo\xeb'"]
    with pytest.raises(UserError, match="2 groups are spelt in more than one way") as caught:
        respelled(images, [], found, "refuse")
    assert "the column group" in caught.value.fix
    assert respelled(images, [], found, "apart") == images
    merged = respelled(images, [], found, "merge")
    assert [image.group for image in merged] == ["oslo"] * 3 + [ZOE_APART] * 2 + [None]
    assert [image.label for image in merged] == ["p"] * 6
