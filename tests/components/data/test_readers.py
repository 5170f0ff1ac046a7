"""Records: arrays, idx and csv files, sound and damaged."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from components.contract.errors import UserError
from components.contract.source import Source
from components.data.images import BadImage
from components.data.readers import Record, records_of
from pipelines.sources.snapshot import snapshot, stage

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 4, 4), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2, 10])


def _records(data: Path, size: tuple[int, int] = (4, 4), max_pixels: int = 10**6) -> list[Record]:
    staged = data.parent / f"staged-{data.name}"
    stage(snapshot(str(data)), staged)
    found = records_of(Source.open(staged), height=size[0], width=size[1], max_pixels=max_pixels)
    return list(found)


def _check(records: list[Record], images: np.ndarray = IMAGES) -> None:
    assert [record.label for record in records] == [str(label) for label in LABELS]
    assert [record.index for record in records] == list(range(7))
    for record, image in zip(records, images, strict=True):
        assert isinstance(record.pixels, np.ndarray)
        assert np.array_equal(record.pixels, image)


# npz --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("x", "y"), ("images", "labels"), ("x_train", "y_train")])
def test_npz_reads_the_usual_names(tmp_path: Path, names: tuple[str, str]) -> None:
    np.savez_compressed(tmp_path / "d.npz", **{names[0]: IMAGES, names[1]: LABELS})
    _check(_records(tmp_path / "d.npz"))


def test_npz_pools_training_and_test_records(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "d.npz",
        x_train=IMAGES[:5],
        y_train=LABELS[:5],
        x_test=IMAGES[5:],
        y_test=LABELS[5:].reshape(-1, 1),
    )
    _check(_records(tmp_path / "d.npz"))


@pytest.mark.parametrize(
    "images",
    [IMAGES[..., None], np.stack([IMAGES] * 3, axis=3), IMAGES / 255, IMAGES.astype(">i4")],
)
def test_npz_reads_shapes_and_types(tmp_path: Path, images: np.ndarray) -> None:
    np.savez(tmp_path / "d.npz", x=images, y=LABELS)
    _check(_records(tmp_path / "d.npz"), images)


def test_npz_reads_flat_rows_and_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=IMAGES.reshape(7, 16), y=LABELS.astype(str))
    _check(_records(tmp_path / "d.npz"))
    np.savez(tmp_path / "wide.npz", x=IMAGES.reshape(7, 16), y=LABELS.astype("S"))
    _check(_records(tmp_path / "wide.npz", size=(2, 8)), IMAGES.reshape(7, 2, 8))


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
        _records(tmp_path / "d.npz")


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
            _records(tmp_path / f"{name}.npz")


def test_npz_headers_cannot_ask_for_memory(tmp_path: Path) -> None:
    """A header that promises far more images than there are bytes is an early end, no crash."""
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        for name, shape, data in (("x", (10**12, 4, 4), IMAGES), ("y", (10**12,), LABELS)):
            stream = io.BytesIO()
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(stream, header)
            archive.writestr(f"{name}.npy", stream.getvalue() + data.tobytes())
    with pytest.raises(UserError, match="ends early"):
        _records(tmp_path / "d.npz")


# idx --------------------------------------------------------------------------------------------


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
    records = _records(_idx_folder(tmp_path / "d", files))
    assert [record.index for record in records] == [0, 1, 0, 1, 2, 3, 4]
    assert {record.file for record in records[:2]} == {f"t10k-images-idx3-ubyte{suffix}"}
    renumbered = [Record(r.file, i, r.label, r.pixels) for i, r in enumerate(records)]
    _check(renumbered)


def test_idx_reads_colour_and_files_unpacked_under_a_packed_name(tmp_path: Path) -> None:
    colour = np.stack([IMAGES] * 3, axis=3)
    root = _idx_folder(
        tmp_path / "d",
        {"train-images-idx4-ubyte": _idx(colour), "train-labels-idx1-ubyte": _idx(LABELS)},
    )
    (root / "train-labels-idx1-ubyte").rename(root / "train-labels-idx1-ubyte.gz")
    _check(_records(root), colour)


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
        _records(_idx_folder(tmp_path / "d", files))


def test_idx_damage_and_missing_labels_are_said(tmp_path: Path) -> None:
    images = {"train-images-idx3-ubyte.gz": _idx(IMAGES)}
    with pytest.raises(UserError, match="no file of labels") as caught:
        _records(_idx_folder(tmp_path / "alone", images))
    assert "train-labels-idx1-ubyte.gz" in caught.value.fix
    root = _idx_folder(tmp_path / "cut", images | {"train-labels-idx1-ubyte.gz": _idx(LABELS)})
    packed = root / "train-images-idx3-ubyte.gz"
    packed.write_bytes(packed.read_bytes()[:-10])
    with pytest.raises(UserError, match="damaged"):
        _records(root)


# csv --------------------------------------------------------------------------------------------


def _lines(images: np.ndarray = IMAGES, labels: np.ndarray = LABELS) -> list[str]:
    rows = zip(images.reshape(len(images), -1), labels, strict=True)
    return [",".join(map(str, (*pixels, label))) for pixels, label in rows]


@pytest.mark.parametrize("name", ["d.csv", "d.csv.gz"])
def test_csv_reads_pixels_then_label(tmp_path: Path, name: str) -> None:
    text = ("\n".join(_lines()) + "\n\n").encode()
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    _check(_records(tmp_path / name))


def test_csv_reads_a_header_and_names(tmp_path: Path) -> None:
    rows = [line.rsplit(",", 1) for line in _lines()]
    header = ",".join(["Label", *(f"pixel{n}" for n in range(16))])
    text = "\n".join([header, *(f'"{label}",{pixels}' for pixels, label in rows)])
    (tmp_path / "d.csv").write_text(text, encoding="utf-8-sig")
    _check(_records(tmp_path / "d.csv"))


def test_csv_bad_rows_are_records_of_their_own(tmp_path: Path) -> None:
    lines = _lines()
    lines[2] = lines[2].replace(",", ",x", 1)
    lines[4] = lines[4].partition(",")[2]
    lines[6] = lines[6].rsplit(",", 1)[0] + ", "
    (tmp_path / "d.csv").write_text("\n".join(lines))
    records = _records(tmp_path / "d.csv")
    assert [isinstance(record.pixels, BadImage) for record in records] == [
        False, False, True, False, True, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "match"),
    [("", "no row"), ("1,2,3,4,5,6,label\n", "no square"), ("alone\n", "no row of pixels")],
)
def test_csv_refuses_what_it_cannot_read(tmp_path: Path, text: str, match: str) -> None:
    (tmp_path / "d.csv").write_text(text)
    with pytest.raises(UserError, match=match):
        _records(tmp_path / "d.csv")


def test_csv_damage_is_said(tmp_path: Path) -> None:
    packed = gzip.compress("\n".join(_lines() * 50).encode())
    (tmp_path / "d.csv.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(UserError, match=r"d\.csv\.gz is damaged"):
        _records(tmp_path / "d.csv.gz")


def test_images_beyond_the_limit_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=IMAGES, y=LABELS)
    with pytest.raises(UserError, match="4 x 4 pixels; at most 15"):
        _records(tmp_path / "d.npz", max_pixels=15)
