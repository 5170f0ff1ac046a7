"""Idx: the layout of MNIST, sound and damaged."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.contract.errors import UserError
from components.data import idx
from components.data.record import Record
from tests.data.records import IMAGES, LABELS, check_records, read_records


def _idx(array: np.ndarray) -> bytes:
    shape = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes((0, 0, 8, array.ndim)) + shape + array.astype(np.uint8).tobytes()


def _idx_folder(root: Path, files: Mapping[str, bytes]) -> Path:
    root.mkdir()
    for name, data in files.items():
        (root / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return root


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_reads_all_pairs_in_name_order(tmp_path: Path, suffix: str) -> None:
    files = {
        f"train-images-idx3-ubyte{suffix}": _idx(IMAGES[2:]),
        f"train-labels-idx1-ubyte{suffix}": _idx(LABELS[2:]),
        f"t10k-images-idx3-ubyte{suffix}": _idx(IMAGES[:2]),
        f"t10k-labels-idx1-ubyte{suffix}": _idx(LABELS[:2]),
        "LICENSE": b"text",
    }
    records = read_records(_idx_folder(tmp_path / "d", files))
    assert [record.index for record in records] == [0, 1, 0, 1, 2, 3, 4]
    assert {record.file for record in records[:2]} == {f"t10k-images-idx3-ubyte{suffix}"}
    renumbered = [Record(r.file, i, r.label, r.pixels) for i, r in enumerate(records)]
    check_records(renumbered)


def test_idx_reads_colour_and_files_unpacked_under_a_packed_name(tmp_path: Path) -> None:
    colour = np.stack([IMAGES] * 3, axis=3)
    root = _idx_folder(
        tmp_path / "d",
        {"train-images-idx4-ubyte": _idx(colour), "train-labels-idx1-ubyte": _idx(LABELS)},
    )
    (root / "train-labels-idx1-ubyte").rename(root / "train-labels-idx1-ubyte.gz")
    check_records(read_records(root), colour)


@pytest.mark.parametrize(
    ("images", "labels", "match"),
    [
        (_idx(IMAGES)[:-1], _idx(LABELS), "says 7 images and ends after 6"),
        (_idx(IMAGES) + b"x", _idx(LABELS), "goes on after 7 images"),
        (_idx(IMAGES), _idx(LABELS[:5]), "7 images and 5 labels"),
        (_idx(IMAGES), _idx(LABELS)[:-1], "says 7 labels and holds 6"),
        (_idx(IMAGES), _idx(LABELS) + b"x", "says 7 labels and holds more"),
        (b"\x1f\x9d\x90" + bytes(20), _idx(LABELS), "starts with 1f 9d 90 00; an idx file"),
        (b"", _idx(LABELS), "starts with nothing"),
        (_idx(LABELS), _idx(LABELS), "00 00 08 03 or 00 00 08 04"),
        (_idx(IMAGES), _idx(IMAGES), "00 00 08 01"),
        (b"\0\0\x0d\x03" + _idx(IMAGES)[4:], _idx(LABELS), "starts with 00 00 0d 03"),
    ],
)
def test_idx_headers_are_checked(tmp_path: Path, images: bytes, labels: bytes, match: str) -> None:
    files = {"train-images-idx3-ubyte": images, "train-labels-idx1-ubyte": labels}
    with pytest.raises(UserError, match=match):
        read_records(_idx_folder(tmp_path / "d", files))


def test_idx_damage_and_missing_labels_are_said(tmp_path: Path) -> None:
    images = {"train-images-idx3-ubyte.gz": _idx(IMAGES)}
    with pytest.raises(UserError, match="no file of labels") as caught:
        read_records(_idx_folder(tmp_path / "alone", images))
    assert "train-labels-idx1-ubyte.gz" in caught.value.fix
    root = _idx_folder(tmp_path / "cut", images | {"train-labels-idx1-ubyte.gz": _idx(LABELS)})
    packed = root / "train-images-idx3-ubyte.gz"
    packed.write_bytes(packed.read_bytes()[:-10])
    with pytest.raises(UserError, match="damaged"):
        read_records(root)


def test_idx_labels_that_fill_the_memory_are_refused_by_their_header(tmp_path: Path) -> None:
    many = bytes((0, 0, 8, 1)) + struct.pack(">I", 3_800_000_000) + bytes(1 << 20)
    files = {"a-images-idx3-ubyte": _idx(IMAGES), "a-labels-idx1-ubyte.gz": many}
    root = _idx_folder(tmp_path / "d", files)
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match="says 3800000000 labels; at most 268435456"):
            read_records(root)
        assert tracemalloc.get_traced_memory()[1] < 8e6
    finally:
        tracemalloc.stop()


def test_idx_labels_that_are_divided_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idx, "LABEL_BYTES_MAX", 5)
    files = {"images-idx3-ubyte": _idx(IMAGES), "labels-idx1-ubyte": _idx(LABELS)}
    with pytest.raises(UserError, match="says 7 labels; at most 5") as caught:
        read_records(_idx_folder(tmp_path / "whole", files))
    assert "a-images-idx3-ubyte and a-labels-idx1-ubyte" in caught.value.fix
    files = {
        f"{name}-{kind}-ubyte": _idx(array[part])
        for name, part in (("a", slice(4)), ("b", slice(4, 7)))
        for kind, array in (("images-idx3", IMAGES), ("labels-idx1", LABELS))
    }
    records = read_records(_idx_folder(tmp_path / "parts", files))
    check_records([Record(r.file, i, r.label, r.pixels) for i, r in enumerate(records)])


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_third_file_says_the_groups(tmp_path: Path, suffix: str) -> None:
    files = {
        f"train-images-idx3-ubyte{suffix}": _idx(IMAGES),
        f"train-labels-idx1-ubyte{suffix}": _idx(LABELS),
        f"train-groups-idx1-ubyte{suffix}": _idx(LABELS % 2),
    }
    records = read_records(_idx_folder(tmp_path / "d", files))
    check_records([replace(record, group=None) for record in records])
    assert [record.group for record in records] == [str(label % 2) for label in LABELS]


def test_groups_that_do_not_fit_lead_to_their_fix(tmp_path: Path) -> None:
    files = {
        "train-images-idx3-ubyte": _idx(IMAGES),
        "train-labels-idx1-ubyte": _idx(LABELS),
        "train-groups-idx1-ubyte": _idx(LABELS[1:]),
    }
    root = _idx_folder(tmp_path / "d", files)
    with pytest.raises(UserError, match=r"has 6 groups and .* 7 labels") as caught:
        read_records(root)
    assert "one group an image, or remove train-groups-idx1-ubyte" in caught.value.fix
    (root / "train-groups-idx1-ubyte").unlink()
    check_records(read_records(root))
