"""A dataset reads back as it was written, by the same bytes every time."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from components.artifacts.chained import ChainedImages
from components.artifacts.dataset import Dataset, write_dataset
from components.artifacts.grouping import Grouping
from components.contract.errors import UserError
from components.contract.tree import tree_of


def _images(count: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, 4, 5, channels), dtype=np.uint8)


def _labels(count: int) -> np.ndarray:
    return np.arange(count) % 3


def _write(path: Path, **changes: object) -> Dataset:
    arguments = {"task": "verification", "classes": ["a", "b", "c"], **changes}
    splits = {
        "train": (_images(9), _labels(9)),
        "validation": (_images(4), _labels(4)),
        "selection": (_images(3), _labels(3)),
    }
    return write_dataset(path, splits, **arguments)  # type: ignore[arg-type]


def test_reads_back_what_was_written(tmp_path: Path) -> None:
    lines = [{"name": "a/1.png", "status": "used", "split": "train", "index": 0}]
    _write(tmp_path / "d", description="three things", split_by="identity", manifest=lines)
    dataset = Dataset.open(tmp_path / "d")
    assert dataset.info.shape == (4, 5, 1)
    assert dataset.info.classes == ("a", "b", "c")
    assert dict(dataset.info.splits) == {"train": 9, "validation": 4, "selection": 3}
    assert (dataset.info.split_by, dataset.info.resample) == ("identity", "image")
    assert dataset.info.description == "three things"
    assert dataset.manifest() == lines
    images, labels = dataset.images("train"), dataset.labels("train")
    assert isinstance(images, np.memmap)
    assert images.dtype == np.uint8
    assert labels.dtype == np.int32
    assert np.array_equal(images, _images(9))
    assert np.array_equal(labels, _labels(9))


def test_shards_read_as_one_array_in_order(tmp_path: Path) -> None:
    dataset = _write(tmp_path, shard_bytes=2 * 4 * 5)
    names = sorted(path.name for path in (tmp_path / "train").glob("images*"))
    assert names == [f"images-{number:05d}.npy" for number in range(5)]
    images = dataset.images("train")
    assert isinstance(images, ChainedImages)
    assert np.array_equal(images, _images(9))
    assert (images.dtype, images.shape, len(images)) == (np.uint8, (9, 4, 5, 1), 9)
    for rows in (
        3,
        -1,
        slice(1, 8, 3),
        slice(None, None, -1),
        np.array([8, 0, 8, -2]),
        slice(4, 4),
    ):
        assert np.array_equal(images[rows], _images(9)[rows])
    assert np.array_equal(np.stack(list(images)), _images(9))
    both = ChainedImages([images, dataset.images("validation")])
    assert np.array_equal(both, np.concatenate([_images(9), _images(4)]))
    for rows in (9, -10, np.array([0, 9]), np.array([True] * 9)):
        with pytest.raises(IndexError):
            images[rows]


def test_a_split_of_several_shards_is_not_read_into_memory(tmp_path: Path) -> None:
    images = np.zeros((600, 96, 96, 3), np.uint8)
    write_dataset(
        tmp_path, {"train": (images, np.zeros(600, int))}, task="classification", classes=["a"],
        shard_bytes=1 << 20,
    )  # fmt: skip
    del images
    tracemalloc.start()
    split = Dataset.open(tmp_path).images("train")
    for start in range(0, 600, 32):
        split[np.arange(start, min(start + 32, 600))]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000


def test_equal_datasets_are_equal_bytes(tmp_path: Path) -> None:
    one, other = _write(tmp_path / "1"), _write(tmp_path / "2")
    assert tree_of(one.path).digest == tree_of(other.path).digest
    assert one.info == Dataset.open(other.path).info


def test_a_split_that_does_not_exist(tmp_path: Path) -> None:
    dataset = _write(tmp_path)
    with pytest.raises(UserError, match="no split 'trian'") as caught:
        dataset.images("trian")
    assert "did you mean 'train'" in caught.value.fix
    with pytest.raises(UserError, match="no split 'sealed'") as caught:
        dataset.labels("sealed")
    assert "other output of ingest" in caught.value.fix


def test_a_folder_that_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no dataset\.json"):
        Dataset.open(tmp_path)
    (tmp_path / "dataset.json").write_text('{"schema": 99}')
    with pytest.raises(UserError, match="schema 99"):
        Dataset.open(tmp_path)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (_images(3).astype(np.float32), _labels(3)),
        (_images(3), _labels(2)),
        (_images(3), _labels(3) + 1),
        (_images(3), _labels(3) - 1),
        (_images(3)[:, :, :, 0], _labels(3)),
        (_images(3)[:0], _labels(3)[:0]),
    ],
)
def test_arrays_that_do_not_fit_are_our_own_fault(
    tmp_path: Path, images: np.ndarray, labels: np.ndarray
) -> None:
    with pytest.raises(ValueError):
        write_dataset(
            tmp_path, {"train": (images, labels)}, task="classification", classes=("a", "b", "c")
        )


def test_groups_read_back_and_change_nothing_else(tmp_path: Path) -> None:
    rows = {"train": np.arange(9) % 2, "validation": np.full(4, -1), "selection": np.ones(3, int)}
    grouped = _write(tmp_path / "grouped", groups=Grouping(("Oslo", "Rome"), rows))
    plain = _write(tmp_path / "plain", groups=Grouping())
    assert Dataset.open(grouped.path).info.groups == ("Oslo", "Rome")
    for split, expected in rows.items():
        assert grouped.groups(split) is not None
        assert np.array_equal(grouped.groups(split), expected)  # type: ignore[arg-type]
    assert plain.groups("train") is None
    assert tree_of(plain.path).digest == tree_of(_write(tmp_path / "as before").path).digest
    added = {item.path for item in tree_of(grouped.path).entries} - {
        item.path for item in tree_of(plain.path).entries
    }
    assert added == {f"{split}/groups.npy" for split in rows}


@pytest.mark.parametrize("groups", [np.zeros(8, int), np.full(9, 2), np.full(9, -2)])
def test_groups_that_do_not_fit_are_our_own_fault(tmp_path: Path, groups: np.ndarray) -> None:
    rows = {"train": groups, "validation": np.zeros(4, int), "selection": np.zeros(3, int)}
    with pytest.raises(ValueError, match="groups"):
        _write(tmp_path / "d", groups=Grouping(("Oslo", "Rome"), rows))
