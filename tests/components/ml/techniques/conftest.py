"""Networks that take pixels as they are, which training can ruin."""

from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

from components.artifacts.model import ModelInfo
from components.contract.tree import tree_of

WEIGHTS = "weights.safetensors"


@pytest.fixture(scope="session")
def of_raw_pixels(pattern_classifier: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The classifier of the patterns, made to take pixels of 0 to 255 as they are."""
    path = tmp_path_factory.mktemp("raw")
    for entry in tree_of(pattern_classifier).entries:
        (path / entry.path).parent.mkdir(parents=True, exist_ok=True)
        (path / entry.path).write_bytes((pattern_classifier / entry.path).read_bytes())
    info = ModelInfo.read(path)
    mean, scale = info.input.mean, info.input.scale
    replace(info, input=replace(info.input, mean=0.0, scale=1.0)).write(path)
    weights = load_file(path / WEIGHTS)
    kernel = weights["first/kernel"] / scale
    weights["first/kernel"] = kernel
    weights["first_norm/moving_mean"] += mean * kernel.sum(axis=(0, 1, 2))
    save_file(weights, path / WEIGHTS)
    return path
