"""The manifest is read image by image, in this version and as earlier ones wrote it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.artifacts.manifest import (
    FATES,
    RECORDS,
    RecordFate,
    read_manifest,
    write_records,
)
from components.contract.digests import canonical_json

V1_IMAGE = {
    "name": "kim/1.png", "sha256": "a" * 64, "status": "used", "split": "train", "index": 4,
    "reason": None, "duplicate_of": None,
}  # fmt: skip
V1_FILE = {
    "name": "d.npz", "sha256": "b" * 64, "status": "used", "split": None, "index": None,
    "reason": None, "duplicate_of": None,
    "records": {"used": 5, "quarantined": 1, "splits": {"train": 5}},
}  # fmt: skip
V1_RECORD = {**V1_FILE, "name": "d.npz#3", "status": "quarantined", "reason": "nan: it has some"}
del V1_RECORD["records"]


def lines(*values: object) -> bytes:
    return b"".join(canonical_json(value) + b"\n" for value in values)


def test_an_earlier_version_lacks_what_it_did_not_write() -> None:
    (fate,) = read_manifest(lines(V1_IMAGE))
    assert (fate.name, fate.split, fate.index, fate.images) == ("kim/1.png", "train", 4, 1)
    assert (fate.size_bytes, fate.label, fate.pixels) == (None, None, None)


def test_records_of_an_earlier_version_are_counted(tmp_path: Path) -> None:
    (tmp_path / "manifest.jsonl").write_bytes(lines(V1_FILE, V1_RECORD, V1_IMAGE))
    for source in (tmp_path, lines(V1_FILE, V1_RECORD, V1_IMAGE)):
        bad, rest, image = read_manifest(source)
        assert (bad.name, bad.file, bad.reason) == ("d.npz#3", "d.npz", "nan: it has some")
        assert (rest.name, rest.images, rest.split) == ("d.npz", 5, None)
        assert image.name == "kim/1.png"


def dataset(folder: Path) -> Path:
    """Two files of records, whose records are in the order of the source."""
    fates = ["train", "sealed", "train", "excluded", "quarantined", "selection", "unused"]
    write_records(
        folder,
        (
            RecordFate("" if fate == "quarantined" else f"{n:064x}", fate, f"label {n % 2}")
            for n, fate in enumerate(fates, 1)
        ),
    )
    first = {"used": 2, "unused": 1, "splits": {}, "first": 4, "count": 3}
    second = {"used": 3, "splits": {}, "first": 0, "count": 4}
    more = {**V1_RECORD, "name": "a.npz#0"}
    (folder / "manifest.jsonl").write_bytes(
        lines(
            {**V1_FILE, "name": "a.npz", "size_bytes": 9, "records": first}, more,
            {**V1_FILE, "name": "b.npz", "size_bytes": 8, "records": second},
        )
    )  # fmt: skip
    return folder


def test_records_are_read_one_by_one(tmp_path: Path) -> None:
    found = list(read_manifest(dataset(tmp_path)))
    assert [fate.name for fate in found] == [
        "a.npz#0", "a.npz#1", "a.npz#2", "b.npz#0", "b.npz#1", "b.npz#2", "b.npz#3",
    ]  # fmt: skip
    bad, chosen, unused, one, sealed, two, gone = found
    assert (bad.status, bad.pixels, bad.reason) == ("quarantined", None, "nan: it has some")
    assert (chosen.split, chosen.index, chosen.label) == ("selection", 0, "label 0")
    assert (unused.status, unused.split, unused.index) == ("unused", None, None)
    assert (one.split, one.index, two.index) == ("train", 0, 1)
    assert (one.sha256, one.size_bytes, one.pixels) == ("b" * 64, 8, f"{1:064x}")
    assert (sealed.split, sealed.index) == ("sealed", None)
    assert (gone.status, gone.reason) == ("quarantined", "excluded: erased")

    def read(name: str) -> bytes | None:
        path = tmp_path / name
        return path.read_bytes() if path.exists() else None

    assert list(read_manifest(read)) == found


def no_file(folder: Path, name: str) -> None:
    (folder / name).unlink()


def cut_short(folder: Path, name: str) -> None:
    (folder / name).write_bytes((folder / name).read_bytes()[:-1])


def emptied(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"[]" if name.endswith(".json") else b"")


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("damage", [no_file, cut_short, emptied])
def test_damage_is_said_and_never_passed_over(tmp_path: Path, name: str, damage: object) -> None:
    dataset(tmp_path)
    assert callable(damage)
    damage(tmp_path, name)
    with pytest.raises(ValueError, match=r".+"):
        list(read_manifest(tmp_path))


def test_an_unknown_number_and_a_missing_manifest(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"it has no manifest.jsonl"):
        list(read_manifest(tmp_path))
    dataset(tmp_path)
    (tmp_path / "records" / "fates.bin").write_bytes(bytes([len(FATES)]) * 7)
    with pytest.raises(ValueError, match="number 9"):
        list(read_manifest(tmp_path))


def test_equal_records_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        dataset(tmp_path / name)
    for name in RECORDS:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert json.loads((tmp_path / "one" / "records/labels.json").read_text()) == [
        "label 1", "label 0",
    ]  # fmt: skip
