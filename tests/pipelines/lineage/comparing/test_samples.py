"""Images of two datasets: what is new, gone, under another label, elsewhere, or left out."""

from dataclasses import replace
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from pipelines.lineage.comparing.samples import Fate, ImageChange, compare_samples


def image(name, content=None, label="a", **rest):
    shown = sha256((content or name).encode()).hexdigest()
    given = {"sha256": shown, "pixels": f"p{shown}", "split": "train", "status": "used", **rest}
    return Fate(name=name, label=label, **given)


BASE = [image("a/1.png"), image("a/2.png"), image("b/1.png", label="b")]


def test_equal_datasets_differ_in_nothing():
    changes = compare_samples(BASE, reversed(BASE))
    assert not changes.any
    assert (changes.before, changes.now) == (3, 3)


def test_added_and_removed():
    changes = compare_samples(BASE, [*BASE[1:], image("b/2.png", label="b")])
    assert (changes.added, changes.removed) == (["b/2.png"], ["a/1.png"])


def test_a_file_moved_to_another_label_is_relabelled_and_not_new():
    now = [image("b/9.png", "a/1.png", label="b"), *BASE[1:]]
    changes = compare_samples(BASE, now)
    assert changes.relabelled == [ImageChange("b/9.png", "a", "b")]
    assert changes.renamed == [ImageChange("b/9.png", "a/1.png", "b/9.png")]
    assert not changes.added
    assert not changes.removed


def test_another_encoding_of_the_same_pixels_is_the_same_image():
    again = replace(BASE[0], sha256="0" * 64)
    assert not compare_samples(BASE, [again, *BASE[1:]]).any
    moved = replace(again, name="a/3.png")
    changes = compare_samples(BASE, [moved, *BASE[1:]])
    assert changes.renamed == [ImageChange("a/3.png", "a/1.png", "a/3.png")]


def test_another_image_under_the_same_name_has_replaced_it():
    changes = compare_samples(BASE, [image("a/1.png", "other"), *BASE[1:]])
    assert changes.replaced == ["a/1.png"]
    assert not changes.added


def test_moved_between_splits_and_out_of_them():
    now = [
        replace(BASE[0], split="selection"), replace(BASE[1], split=None, status="duplicate"),
        BASE[2],
    ]  # fmt: skip
    assert compare_samples(BASE, now).moved == [
        ImageChange("a/1.png", "train", "selection"), ImageChange("a/2.png", "train", "duplicate"),
    ]  # fmt: skip


def test_quarantined_and_back():
    bad = replace(BASE[0], split=None, status="quarantined", pixels=None, reason="truncated")
    new = replace(image("c/1.png"), split=None, status="quarantined", pixels=None, reason="empty")
    changes = compare_samples(BASE, [bad, *BASE[1:], new])
    assert changes.quarantined == [
        ImageChange("a/1.png", "train", "truncated"), ImageChange("c/1.png", "", "empty"),
    ]  # fmt: skip
    assert not changes.moved
    assert compare_samples([bad, *BASE[1:]], BASE).restored == ["a/1.png"]


def test_a_row_put_before_others_renames_them_and_adds_one():
    rows = [image(f"d.csv#{n}", f"row {n}", label="a") for n in range(4)]
    rows = [replace(row, sha256=None) for row in rows]
    new = replace(image("x", "new"), sha256=None)
    now = [
        replace(row, name=f"d.csv#{n}") for n, row in enumerate([new, *rows])
    ]  # fmt: skip
    changes = compare_samples(rows, now)
    assert changes.added == ["d.csv#0"]
    assert len(changes.renamed) == 4
    assert not changes.replaced


def test_version_1_has_no_labels_to_compare():
    old = [replace(one, label=None, pixels=None) for one in BASE]
    changes = compare_samples(old, [image("b/7.png", "a/1.png", label="b"), *BASE[1:]])
    assert changes.renamed == [ImageChange("b/7.png", "a/1.png", "b/7.png")]
    assert not changes.relabelled


names = st.sampled_from("abcdef")
datasets = st.dictionaries(
    names, st.tuples(st.sampled_from("123"), st.sampled_from("xy"), st.sampled_from("tv")),
    max_size=6,
)  # fmt: skip


@given(datasets, datasets)
def test_every_image_is_accounted_for(before, now):
    """What is in both, and what was added or removed, makes up each dataset."""
    old, new = (
        [image(n, content, label, split=split) for n, (content, label, split) in one.items()]
        for one in (before, now)
    )
    changes = compare_samples(old, new)
    assert len(old) - len(changes.removed) == len(new) - len(changes.added)
    renamed_from = {one.before for one in changes.renamed}
    assert not renamed_from & set(changes.removed)
    assert not {one.name for one in changes.renamed} & {*changes.added, *changes.replaced}
    kept = set(now) - set(changes.added)
    assert {one.name for one in (*changes.relabelled, *changes.moved)} <= kept
    contents = [{content for content, _, _ in one.values()} for one in (before, now)]
    gone = {before[name][0] for name in changes.removed}
    added = {now[name][0] for name in changes.added}
    assert not gone & added, "the same image is removed and added"
    assert not changes.any or before != now
    assert {*added} <= contents[1]
