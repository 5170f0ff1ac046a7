"""Where the data and MLPerf Tiny's files are, below the folder that the user names."""

from __future__ import annotations

import gzip
import shutil
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from components.contract.errors import UserError

MODELS = Path("models", "mlperf_tiny")
H5, INT8 = "pretrainedResnet.h5", "pretrainedResnet_quant.tflite"
IMAGES = Path("cifar10_jpeg")
ARCHIVE = "cifar10.tar.gz"
FOLDERS = ("train", "test")


@dataclass(frozen=True)
class Places:
    """What everything begins with.

    Attributes:
        images: Folder with ``train`` and ``test``.
        h5: MLPerf Tiny's ResNet-8.
        int8: Their int8 file of it.
    """

    images: Path
    h5: Path
    int8: Path


def located(data: Path, unpacked: Path) -> Places:
    """Find everything, and unpack the images where they are an archive.

    Args:
        data: Holds ``models/mlperf_tiny`` and ``cifar10_jpeg``: the archive, or the folders
            ``train`` and ``test``, in it or in ``cifar10_jpeg/cifar10``.
        unpacked: Where the archive is unpacked, once.

    Raises:
        UserError: Something is not there.
    """
    files = [data / MODELS / name for name in (H5, INT8)]
    for file in files:
        if not file.is_file():
            raise UserError(
                f"{file} is not there: DATA is the folder with {MODELS}/{H5}, {MODELS}/{INT8} and "
                f"{IMAGES}/{ARCHIVE}",
                "take both files from github.com/mlcommons/tiny, benchmark/training/"
                "image_classification/trained_models, put them there, and name their folder: "
                "make peers DATA=DIR",
            )
    return Places(_images(data / IMAGES, unpacked), *files)


def _images(folder: Path, unpacked: Path) -> Path:
    for place in (folder, folder / "cifar10", unpacked / "cifar10"):
        if all((place / name).is_dir() for name in FOLDERS):
            return place
    archive = folder / ARCHIVE
    if not archive.is_file():
        raise UserError(
            f"{folder} has neither {ARCHIVE} nor the folders {' and '.join(FOLDERS)}, each with a "
            "folder of images for each of the ten classes",
            f"put CIFAR-10 there as JPEG or PNG files, {IMAGES}/train/CLASS/NAME.jpg and "
            f"{IMAGES}/test/CLASS/NAME.jpg",
        )
    partial = unpacked / "partial"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(partial, filter="data")
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(
            f"{archive} cannot be unpacked: {error}",
            "download it again, or unpack it there yourself",
        ) from error
    inside = partial / "cifar10"
    if not all((inside / name).is_dir() for name in FOLDERS):
        raise UserError(
            f"{archive} does not hold cifar10/train and cifar10/test",
            f"pack the folders as cifar10/train/CLASS/NAME.jpg and cifar10/test/CLASS/NAME.jpg, or "
            f"put them into {folder} unpacked",
        )
    return Path(inside.rename(unpacked / "cifar10"))
