"""Image files are what numpy writes, whoever writes how much of them at once."""

from pathlib import Path

import numpy as np
import pytest

from components.artifacts.image_file import write_images


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("images", [1, 145, 300])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_the_bytes_are_those_of_numpy(
    tmp_path: Path, images: int, threads: int, dtype: type[np.generic]
) -> None:
    made = np.random.default_rng(0).integers(0, 256, (images, 40, 30, 3)).astype(dtype)
    np.save(tmp_path / "expected.npy", made)
    write_images(tmp_path / "images.npy", made, threads)
    assert (tmp_path / "images.npy").read_bytes() == (tmp_path / "expected.npy").read_bytes()


def test_a_mapped_part_of_a_file_is_written(tmp_path: Path) -> None:
    made = np.random.default_rng(0).integers(0, 256, (200, 40, 30, 3), dtype=np.uint8)
    np.save(tmp_path / "whole.npy", made)
    write_images(tmp_path / "part.npy", np.load(tmp_path / "whole.npy", mmap_mode="r")[7:], 2)
    np.testing.assert_array_equal(np.load(tmp_path / "part.npy"), made[7:])
