"""Fixes of errors of files of records, applied: the file is mended as its error says, and read.

Where a fix gives code, the code that runs is the one in its text.
"""

from __future__ import annotations

import gzip
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.contract.errors import UserError
from tests.data.records import IMAGES, LABELS, read_records

ARRAYS: dict[str, Any] = {"images": IMAGES, "labels": LABELS}
ROWS = [",".join(map(str, [*image.ravel(), label])) for image, label in zip(IMAGES, LABELS, strict=True)]  # fmt: skip
TITLES = ",".join([*(f"p{number}" for number in range(16)), "label"])


def idx(array: np.ndarray, *, more: bytes = b"", count: int | None = None) -> bytes:
    """An idx file of bytes, with something behind it or another count in front."""
    shape = (len(array) if count is None else count, *array.shape[1:])
    sides = b"".join(side.to_bytes(4, "big") for side in shape)
    return bytes((0, 0, 8, array.ndim)) + sides + array.astype(np.uint8).tobytes() + more


@dataclass(frozen=True)
class Broken:
    """A file that is refused.

    Attributes:
        write: Writes it into a folder and returns what is given as data.
        what: Of the error.
        mend: Does what the fix says, of which it gets the text.
        settings: Of reading.
    """

    write: Callable[[Path], Path]
    what: str
    mend: Callable[[Path, str], object]
    settings: tuple[tuple[str, Any], ...] = ()


def npz(**wrong: Any) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        np.savez(folder / "d.npz", **(ARRAYS | wrong))
        return folder / "d.npz"

    return write


def other_names(folder: Path) -> Path:
    np.savez(folder / "d.npz", pictures=IMAGES, names=LABELS)
    return folder / "d.npz"


def garbage(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "d.npz", "w") as archive:
        for name in ARRAYS:
            archive.writestr(f"{name}.npy", b"no array")
    return folder / "d.npz"


def saved_as_said(data: Path, fix: str) -> None:
    """Run the call in the fix: its arguments are the arrays in their order."""
    found = re.search(r"np\.(savez\w*)\(path, (\w+)=\.\.\., (\w+)=\.\.\.\)", fix)
    assert found, fix
    getattr(np, found[1])(data, **{found[2]: IMAGES, found[3]: LABELS})


def array_as_said(name: str, value: Any) -> Callable[[Path, str], None]:
    """Put what the code in the fix makes of a wrong array in its place."""

    def mend(data: Path, fix: str) -> None:
        found = re.search(rf"(?:np\.\w+\({name}.*\)|{name}(?:\.\w+\([^()]*\)|\[[^\]]*\])+)", fix)
        assert found, fix
        mended = eval(found[0], {"np": np, name: value})  # the fix is ours, and is to run
        np.savez(data, **(ARRAYS | {name: mended}))

    return mend


def folder_of(**files: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / "d").mkdir()
        for name, content in files.items():
            (folder / "d" / f"a-{name.replace('_', '-')}-ubyte").write_bytes(content)
        return folder / "d"

    return write


def put(name: str, content: bytes) -> Callable[[Path, str], object]:
    return lambda data, _: (data / f"a-{name}-ubyte").write_bytes(content)


def labels_added(data: Path, fix: str) -> None:
    (name,) = re.findall(r"add (\S+)", fix)
    (data / name).write_bytes(gzip.compress(idx(LABELS)))


def csv(*lines: str, name: str = "d.csv") -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        text = "\n".join(lines)
        (folder / name).write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())  # fmt: skip
        return folder / name

    return write


def cut(folder: Path) -> Path:
    path = csv(TITLES, *ROWS, name="d.csv.gz")(folder)
    path.write_bytes(path.read_bytes()[:-20])
    return path


def rewritten(data: Path, _: str) -> None:
    csv(TITLES, *ROWS, name=data.name)(data.parent)


WIDE = np.arange(7 * 16, dtype=np.uint8).reshape(7, 2, 8)
FOUR = np.stack([IMAGES] * 4, axis=3)
LARGE = LABELS.astype(np.float64) * 2.0**60

BROKEN = {
    "npz: other names": Broken(
        other_names, "holds the arrays names, pictures", saved_as_said),
    "npz: no array inside": Broken(garbage, "is no numpy array", saved_as_said),
    "npz: labels beyond 2^53": Broken(
        npz(labels=LARGE), "beyond 2", array_as_said("labels", LARGE)),
    "npz: one label less": Broken(
        npz(labels=LABELS[1:]), "7 images and 6 labels", lambda data, _: np.savez(data, **ARRAYS)),
    "npz: channels first": Broken(
        npz(images=np.stack([IMAGES] * 3, axis=1)), "has the shape",
        array_as_said("images", np.stack([IMAGES] * 3, axis=1))),
    "npz: images last": Broken(
        npz(images=np.stack([IMAGES] * 3, axis=1).transpose(2, 3, 1, 0)), "has the shape",
        array_as_said("images", np.stack([IMAGES] * 3, axis=1).transpose(2, 3, 1, 0))),
    "npz: transparency": Broken(npz(images=FOUR), "has the shape", array_as_said("images", FOUR)),
    "npz: no square": Broken(
        npz(images=WIDE.reshape(7, 16)[:, :12]), "no square",
        lambda data, fix: "set image: {height, width}" in fix or pytest.fail(fix),
        (("size", (3, 4)),)),
    "npz: three channels in a row": Broken(
        npz(images=np.stack([IMAGES] * 3, axis=1).reshape(7, -1)), "no square",
        lambda data, fix: np.savez(data, labels=LABELS, images=eval(
            re.findall(r"rows\..+?\)(?= as)", fix)[0],
            {"rows": np.stack([IMAGES] * 3, axis=1).reshape(7, -1)}))),
    "idx: no labels": Broken(
        folder_of(images_idx3=idx(IMAGES)), "no file of labels", labels_added),
    "idx: two channels": Broken(
        folder_of(images_idx4=idx(FOUR[..., :2]), labels_idx1=idx(LABELS)), "of shape",
        put("images-idx4", idx(FOUR[..., :3]))),
    "idx: labels of another file": Broken(
        folder_of(images_idx3=idx(IMAGES), labels_idx1=idx(LABELS[1:])), "7 images and 6 labels",
        put("labels-idx1", idx(LABELS))),
    "idx: labels cut": Broken(
        folder_of(images_idx3=idx(IMAGES), labels_idx1=idx(LABELS)[:-1]), "7 labels and holds 6",
        put("labels-idx1", idx(LABELS))),
    "idx: more than was said": Broken(
        folder_of(images_idx3=idx(IMAGES, more=b"x"), labels_idx1=idx(LABELS)), "goes on after 7",
        put("images-idx3", idx(IMAGES))),
    "idx: less than was said": Broken(
        folder_of(images_idx3=idx(IMAGES)[:-20], labels_idx1=idx(LABELS)), "ends after 5",
        put("images-idx3", idx(IMAGES))),
    "idx: another type": Broken(
        folder_of(images_idx3=b"\0\0\x0c\3" + idx(IMAGES)[4:], labels_idx1=idx(LABELS)),
        "starts with 00 00 0c 03", put("images-idx3", idx(IMAGES))),
    "csv: nothing but titles": Broken(csv(TITLES), "no row of pixels", rewritten),
    "csv: one column": Broken(csv("label", "1"), "no row of pixels", rewritten),
    "csv: packed and cut": Broken(cut, r"d\.csv\.gz is damaged", rewritten),
    "csv: two columns of labels": Broken(
        csv(TITLES + ",class", *(f"{row},1" for row in ROWS)), "2 columns that could be meant",
        lambda data, _: csv(TITLES, *ROWS)(data.parent)),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_is_mended_as_its_error_says_is_read(name: str, tmp_path: Path) -> None:
    broken = BROKEN[name]
    data = broken.write(tmp_path)
    with pytest.raises(UserError, match=broken.what) as caught:
        read_records(data)
    broken.mend(data, caught.value.fix)
    records = read_records(data, **dict(broken.settings))
    assert len(records) == 7
    assert all(isinstance(record.pixels, np.ndarray) for record in records)
