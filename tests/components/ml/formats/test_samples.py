"""Training images that travel with a Model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.artifacts.dataset import Dataset
from components.contract.tree import tree_of
from components.ml.formats import samples

ML = Path(samples.__file__).parents[1]


def test_they_are_training_images_of_the_seed(pattern_data: Path, tmp_path: Path) -> None:
    data = Dataset.open(pattern_data)
    for name, seed in (("one", 3), ("again", 3), ("other", 4)):
        (tmp_path / name).mkdir()
        samples.draw(tmp_path / name, data, seed)
    one, other = samples.read(tmp_path / "one"), samples.read(tmp_path / "other")
    assert one is not None
    assert other is not None
    assert (one.shape, one.dtype) == ((32, 8, 8, 1), np.uint8)
    train = {image.tobytes() for image in np.asarray(data.images("train"))}
    assert len({image.tobytes() for image in one}) == 32
    assert {image.tobytes() for image in one} <= train
    assert not np.array_equal(one, other)
    digests = [tree_of(tmp_path / name).digest for name in ("one", "again", "other")]
    assert digests[0] == digests[1] != digests[2]


def test_they_are_passed_on_where_there_are_any(pattern_data: Path, tmp_path: Path) -> None:
    for name in ("one", "next", "bare", "last"):
        (tmp_path / name).mkdir()
    samples.draw(tmp_path / "one", Dataset.open(pattern_data), 0)
    samples.pass_on(tmp_path / "one", tmp_path / "next")
    assert tree_of(tmp_path / "one").digest == tree_of(tmp_path / "next").digest
    samples.pass_on(tmp_path / "bare", tmp_path / "last")
    assert samples.read(tmp_path / "last") is None


SOURCES = {
    path.stem: path.read_text()
    for room in ("techniques", "training")
    for path in (ML / room).glob("*.py")
}
WRITERS = [
    name
    for name, text in SOURCES.items()
    if ("model_folder.save(" in text or "model_folder.export(" in text) and name != "cost_sampling"
]
"""Of cost samples the file alone is kept: the Model that it is made from knows no data."""


@pytest.mark.parametrize("name", WRITERS)
def test_everything_that_writes_a_model_gives_it_samples(name: str) -> None:
    assert "samples.draw(" in SOURCES[name] or "samples.pass_on(" in SOURCES[name], name


def test_there_is_more_than_one_such_module() -> None:
    assert {"distillation", "weight_pruning", "importing"} < set(WRITERS)
