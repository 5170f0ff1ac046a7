"""Npz: arrays of the usual names and shapes, and every way they can be wrong."""

from __future__ import annotations

import io
import re
import tracemalloc
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from components.contract.errors import UserError
from components.contract.source import Source
from components.data import npz
from components.data.npz import unread_arrays
from pipelines.sources.snapshot import snapshot, stage
from tests.data.records import IMAGES, LABELS, check_records, read_records


@pytest.mark.parametrize(
    "names",
    [("x", "y"), ("images", "labels"), ("x_train", "y_train"), ("train_images", "train_labels")],
)
def test_npz_reads_the_usual_names(tmp_path: Path, names: tuple[str, str]) -> None:
    np.savez_compressed(tmp_path / "d.npz", **{names[0]: IMAGES, names[1]: LABELS})
    records = read_records(tmp_path / "d.npz")
    check_records(records)
    assert {record.split for record in records} == {None}


@pytest.mark.parametrize("images", ["x_{}", "{}_images"])
@pytest.mark.parametrize("middle", ["val", "valid", "validation", "selection"])
def test_arrays_called_after_splits_are_the_split(tmp_path: Path, images: str, middle: str) -> None:
    """As in mnist.npz of Keras, and in MedMNIST."""
    labels = {"x_{}": "y_{}", "{}_images": "{}_labels"}[images]
    arrays: dict[str, np.ndarray] = {}
    for word, rows in (("train", slice(0, 4)), (middle, slice(4, 5)), ("test", slice(5, 7))):
        arrays[images.format(word)] = IMAGES[rows]
        arrays[labels.format(word)] = LABELS[rows].reshape(-1, 1)
    np.savez(tmp_path / "d.npz", **arrays)
    records = read_records(tmp_path / "d.npz")
    check_records(records)
    assert [record.split for record in records] == ["train"] * 4 + [middle] + ["test"] * 2


def test_arrays_of_which_some_are_called_as_splits_lead_to_their_fix(tmp_path: Path) -> None:
    test = {"x_test": IMAGES[5:], "y_test": LABELS[5:]}
    np.savez(tmp_path / "d.npz", images=IMAGES[:5], labels=LABELS[:5], **test)
    with pytest.raises(UserError, match="holds images and labels beside x_test") as caught:
        read_records(tmp_path / "d.npz")
    assert "save images as x_train and labels as y_train" in caught.value.fix
    np.savez(tmp_path / "d.npz", x_train=IMAGES[:5], y_train=LABELS[:5], **test)
    records = read_records(tmp_path / "d.npz")
    check_records(records)
    assert [record.split for record in records] == ["train"] * 5 + ["test"] * 2


def _warnings(path: Path) -> list[str]:
    staged = path.parent / f"warned-{len(list(path.parent.iterdir()))}"
    stage(snapshot(str(path)), staged)
    return unread_arrays(Source.open(staged))


def test_images_that_are_not_read_are_warned_of_until_it_is_said_what_they_are(
    tmp_path: Path,
) -> None:
    arrays = {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:3], "names": LABELS}
    arrays |= {"dev_images": IMAGES[:2], "dev_labels": LABELS[:2], "pickled": LABELS.astype(object)}
    np.savez(tmp_path / "d.npz", **arrays)
    dev, test = _warnings(tmp_path / "d.npz")
    assert "d.npz[dev_images] has the shape of 2 images and is not read. Call it x_ and" in dev
    assert "d.npz[x_test] has the shape of 3 images and is not read. Save its labels as y_test" in (
        test
    )
    arrays |= {"x_val": arrays.pop("dev_images"), "y_val": arrays.pop("dev_labels")}
    np.savez(tmp_path / "d.npz", **arrays, y_test=LABELS[:3])
    assert _warnings(tmp_path / "d.npz") == []
    assert len(read_records(tmp_path / "d.npz")) == 12


@pytest.mark.parametrize(
    "images",
    [IMAGES[..., None], np.stack([IMAGES] * 3, axis=3), IMAGES / 255, IMAGES.astype(">i4")],
)
def test_npz_reads_shapes_and_types(tmp_path: Path, images: np.ndarray) -> None:
    np.savez(tmp_path / "d.npz", x=images, y=LABELS)
    check_records(read_records(tmp_path / "d.npz"), images)


def test_npz_reads_flat_rows_and_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=IMAGES.reshape(7, 16), y=LABELS.astype(str))
    check_records(read_records(tmp_path / "d.npz"))
    np.savez(tmp_path / "wide.npz", x=IMAGES.reshape(7, 16), y=LABELS.astype("S"))
    check_records(read_records(tmp_path / "wide.npz", size=(2, 8)), IMAGES.reshape(7, 2, 8))


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"a": IMAGES}, "holds the arrays a; expected x and y"),
        ({"x": IMAGES, "y": LABELS[:5]}, "7 images and 5 labels"),
        ({"x": IMAGES, "y": np.eye(7)}, "expected one whole number or name an image"),
        ({"x": np.array([{}] * 7, object), "y": LABELS}, "Python objects"),
        ({"x": IMAGES, "y": np.array([{}] * 7, object)}, "Python objects"),
        ({"x": IMAGES.transpose(1, 2, 0)[None], "y": LABELS[:1]}, "shape"),
        ({"x": IMAGES[:, :3, 0], "y": LABELS}, "no square, and not 4 x 4"),
        ({"x": IMAGES.astype(complex), "y": LABELS}, "expected numbers"),
        ({"x": np.asfortranarray(IMAGES), "y": LABELS}, "Fortran order"),
        ({"x": IMAGES[:, :0], "y": LABELS}, "shape"),
    ],
)
def test_npz_refuses_what_it_cannot_read(
    tmp_path: Path, arrays: Mapping[str, np.ndarray], match: str
) -> None:
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(UserError, match=match):
        read_records(tmp_path / "d.npz")


def test_npz_damage_is_said(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "d.npz", x=IMAGES, y=LABELS)
    whole = (tmp_path / "d.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[:-40])
    (tmp_path / "html.npz").write_bytes(b"<html>" * 20)
    place = whole.index(b"x.npy") + 60
    (tmp_path / "flipped.npz").write_bytes(
        whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :]
    )
    for name in ("cut", "html", "flipped"):
        with pytest.raises(UserError, match=rf"{name}\.npz"):
            read_records(tmp_path / f"{name}.npz")


def test_npz_headers_cannot_ask_for_memory(tmp_path: Path) -> None:
    """A header that promises far more images than there are bytes is an early end, no crash."""
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        for name, shape, data in (("x", (10**12, 4, 4), IMAGES), ("y", (10**12,), LABELS)):
            stream = io.BytesIO()
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(stream, header)
            archive.writestr(f"{name}.npy", stream.getvalue() + data.tobytes())
    with pytest.raises(UserError, match="ends early"):
        read_records(tmp_path / "d.npz")


def test_images_beyond_the_limit_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=IMAGES, y=LABELS)
    with pytest.raises(UserError, match="4 x 4 pixels; at most 15"):
        read_records(tmp_path / "d.npz", max_pixels=15)


# every fix is a promise -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "match", "fix"),
    [
        ("labels", np.eye(11)[LABELS], "one whole number or name", "labels.argmax(axis=1)"),
        ("labels", LABELS[:, None, None], "one whole number or name", "labels.reshape(-1)"),
        ("labels", LABELS.astype(object), "Python objects", "np.array(labels, dtype=str)"),
        ("labels", LABELS.astype(complex), "one whole number or name", "labels.astype(str)"),
        ("labels", LABELS + 0.5, "0.5, which is no whole number", "labels.astype(str)"),
        ("labels", LABELS[None], "7 images and 1 labels", "labels.reshape(-1)"),
        ("labels", np.array([["a", "x"]] * 7), "one whole number or name", "labels[:, 0]"),
        ("images", IMAGES.astype(object), "Python objects", "np.stack(images)"),
        ("images", np.asfortranarray(IMAGES), "Fortran", "np.ascontiguousarray(images)"),
        ("images", IMAGES.astype(complex), "complex128", "images.astype('uint8')"),
        ("images", np.stack([IMAGES] * 3, 1), "shape", "images.transpose(0, 2, 3, 1)"),
        ("images", np.stack([IMAGES] * 3, 3).transpose(1, 2, 3, 0), "shape",
         "images.transpose(3, 0, 1, 2)"),
        ("images", np.stack([IMAGES] * 4, 3), "shape", "images[..., :3]"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Casting complex")
def test_the_edit_that_an_error_gives_ends_it(
    tmp_path: Path, name: str, value: np.ndarray, match: str, fix: str
) -> None:
    arrays = {"images": IMAGES, "labels": LABELS, name: value}
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(UserError, match=match) as caught:
        read_records(tmp_path / "d.npz")
    assert fix in caught.value.fix
    if fix.startswith("np.stack"):
        value = value.astype(np.uint8)  # images of one size, as numbers
    arrays[name] = eval(fix, {"np": np, name: value})
    np.savez(tmp_path / "d.npz", **{key: np.asarray(array) for key, array in arrays.items()})
    assert len(read_records(tmp_path / "d.npz")) == 7


def test_images_without_a_label_are_left_out_as_advised(tmp_path: Path) -> None:
    labels = np.where(LABELS % 2 == 1, np.nan, LABELS)
    np.savez(tmp_path / "d.npz", images=IMAGES, labels=labels)
    with pytest.raises(UserError, match="nan, which is no whole number") as caught:
        read_records(tmp_path / "d.npz")
    said = re.search(r"kept = (\S+), save (\S+) in its place", caught.value.fix)
    assert said
    kept = eval(said[1], {"np": np, "labels": labels})
    edited = eval(said[2], {"labels": labels, "kept": kept})
    np.savez(tmp_path / "d.npz", images=IMAGES[kept], labels=edited)
    records = read_records(tmp_path / "d.npz")
    assert [record.label for record in records] == [str(one) for one in LABELS[kept]]


@pytest.mark.parametrize("kind", ["float32", "float64", ">f4", "float16"])
def test_npz_reads_whole_numbers_that_are_floats(tmp_path: Path, kind: str) -> None:
    for number, labels in enumerate((LABELS.astype(kind), LABELS.astype(kind)[:, None])):
        np.savez(tmp_path / f"{number}.npz", x=IMAGES, y=labels)
        check_records(read_records(tmp_path / f"{number}.npz"))


@pytest.mark.parametrize("kind", ["<U50000000", "<i8"])
def test_npz_labels_that_fill_the_memory_are_refused_by_their_header(
    tmp_path: Path, kind: str
) -> None:
    """A small file that unpacks to gigabytes of labels costs no memory."""
    count = 19 if kind.startswith("<U") else 34_000_000
    with zipfile.ZipFile(tmp_path / "d.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, kind_of, shape in (("x", "|u1", (count, 1, 1)), ("y", kind, (count,))):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                header = {"descr": kind_of, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(stream, header)
                left, block = count * np.dtype(kind_of).itemsize, bytes(1 << 20)
                if name == "y" and kind.startswith("<U"):
                    left = min(left, 300 << 20)
                while left:
                    left -= stream.write(block[:left])
    assert (tmp_path / "d.npz").stat().st_size < 4e6
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=r"bytes of labels; at most|ends early"):
            read_records(tmp_path / "d.npz")
        assert tracemalloc.get_traced_memory()[1] < 64e6
    finally:
        tracemalloc.stop()


def test_npz_headers_that_promise_large_images_cost_no_memory(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "d.npz", x=np.zeros((1, 9000, 9000), np.uint8), y=[1])
    with pytest.raises(UserError, match="9000 x 9000 pixels; at most 1000000") as caught:
        read_records(tmp_path / "d.npz")
    assert "max_pixels: 81000000" in caught.value.fix
    assert len(read_records(tmp_path / "d.npz", max_pixels=81_000_000)) == 1


@pytest.mark.parametrize("kind", ["<U40", "i8", "u1"])
def test_the_edit_that_makes_labels_small_enough_ends_the_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    labels = LABELS.astype(kind)
    monkeypatch.setattr(npz, "LABEL_BYTES_MAX", 14 if kind != "u1" else 6)
    np.savez(tmp_path / "d.npz", x=IMAGES, y=labels)
    with pytest.raises(UserError, match="bytes of labels; at most") as caught:
        read_records(tmp_path / "d.npz")
    edited = eval(caught.value.fix.rpartition(": ")[2], {"np": np, "y": labels})
    np.savez(tmp_path / "d.npz", x=IMAGES[: len(edited)], y=edited)
    assert len(read_records(tmp_path / "d.npz")) == (3 if kind == "u1" else 7)


@pytest.mark.parametrize("names", [("splits", "groups"), ("split", "group")])
def test_arrays_of_splits_and_groups_are_kept(tmp_path: Path, names: tuple[str, str]) -> None:
    splits = np.array(["Train", "test", "val", "", "train", "train", "test"])
    groups = LABELS % 2
    arrays = dict(zip(names, (splits, groups), strict=True))
    np.savez(tmp_path / "d.npz", images=IMAGES, labels=LABELS, **arrays)
    records = read_records(tmp_path / "d.npz")
    check_records(records)
    assert [record.split for record in records] == [split.lower() or None for split in splits]
    assert [record.group for record in records] == [str(group) for group in groups]


def test_splits_and_groups_of_which_images_is_asked_for(tmp_path: Path) -> None:
    both = {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES, "y_test": LABELS}
    for name, arrays, what in (
        ("one", {**both, "groups": LABELS}, "more than one array of images"),
        ("two", {"x": IMAGES, "y": LABELS, "groups": LABELS, "group": LABELS}, "groups and group"),
        ("few", {"x": IMAGES, "y": LABELS, "groups": LABELS[1:]}, r"groups\] has the shape \(6,\)"),
    ):
        path = tmp_path / f"{name}.npz"
        np.savez(path, **arrays)
        with pytest.raises(UserError, match=what) as caught:
            read_records(path)
        assert "groups" in caught.value.fix
        np.savez(path, images=IMAGES, labels=LABELS, groups=LABELS)
        assert [record.group for record in read_records(path)] == list(map(str, LABELS))
