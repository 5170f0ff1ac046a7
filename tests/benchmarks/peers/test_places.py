"""Data is found in the forms that the page says, and what is missing is said with its place."""

import tarfile
from pathlib import Path

import pytest

from components.contract.errors import UserError
from tests.benchmarks.peers.places import ARCHIVE, H5, IMAGES, INT8, MODELS, located


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Both models and the archive."""
    models = tmp_path / "data" / MODELS
    models.mkdir(parents=True)
    for name in (H5, INT8):
        (models / name).touch()
    pack(tmp_path / "data", ("train", "test"))
    return tmp_path / "data"


def pack(data: Path, folders: tuple[str, ...]) -> None:
    source = data.parent / "packed"
    for folder in folders:
        image = source / folder / "cat" / "1.jpg"
        image.parent.mkdir(parents=True, exist_ok=True)
        image.write_bytes(folder.encode())
    (data / IMAGES).mkdir(exist_ok=True)
    with tarfile.open(data / IMAGES / ARCHIVE, "w:gz") as tar:
        for folder in folders:
            tar.add(source / folder, f"cifar10/{folder}")


def test_the_archive_is_unpacked_once(data: Path, tmp_path: Path) -> None:
    unpacked = tmp_path / "images"
    (unpacked / "partial" / "cifar10" / "train").mkdir(parents=True)  # broken off before
    places = located(data, unpacked)
    assert (places.images / "test" / "cat" / "1.jpg").read_bytes() == b"test"
    assert places.h5 == data / MODELS / H5
    (data / IMAGES / ARCHIVE).unlink()
    assert located(data, unpacked) == places


def test_folders_are_taken_where_they_are(data: Path, tmp_path: Path) -> None:
    for name in ("train", "test"):
        (data / IMAGES / name).mkdir()
    assert located(data, tmp_path / "images").images == data / IMAGES
    assert not (tmp_path / "images").exists()


@pytest.mark.parametrize("name", [H5, INT8])
def test_a_model_that_is_missing_is_named(data: Path, tmp_path: Path, name: str) -> None:
    (data / MODELS / name).unlink()
    with pytest.raises(UserError, match=rf"{name} is not there.*\n.*make peers DATA=DIR"):
        located(data, tmp_path / "images")
    (data / MODELS / name).touch()  # the fix
    assert located(data, tmp_path / "images")


def test_without_images_the_fix_says_how_they_lie(data: Path, tmp_path: Path) -> None:
    (data / IMAGES / ARCHIVE).unlink()
    with pytest.raises(UserError, match=r"neither cifar10.tar.gz nor the folders train and test"):
        located(data, tmp_path / "images")
    for name in ("train", "test"):
        (data / IMAGES / name / "cat").mkdir(parents=True)  # the fix
    assert located(data, tmp_path / "images")


def test_an_archive_of_something_else_is_refused(data: Path, tmp_path: Path) -> None:
    pack(data, ("train",))
    with pytest.raises(UserError, match="does not hold cifar10/train and cifar10/test"):
        located(data, tmp_path / "images")
    pack(data, ("train", "test"))  # the fix
    assert located(data, tmp_path / "images")


def test_a_damaged_archive_is_refused(data: Path, tmp_path: Path) -> None:
    archive = data / IMAGES / ARCHIVE
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="cannot be unpacked"):
        located(data, tmp_path / "images")
    archive.write_bytes(whole)  # the fix
    assert located(data, tmp_path / "images")
