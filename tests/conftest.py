"""Fixtures for all tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import settings

from tests import patterns

# How long one example takes says nothing here: the machine may be busy.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real data; tests that need it skip where there is none."""
    if "SLIMLINE_SHARED" not in os.environ:
        pytest.skip("SLIMLINE_SHARED names no folder with real data")
    return Path(os.environ["SLIMLINE_SHARED"])


@pytest.fixture(scope="session")
def pattern_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Dataset of four patterns, 8 x 8 x 1, for classification."""
    path = tmp_path_factory.mktemp("patterns") / "dataset"
    return patterns.write_patterns(path, "classification").path


@pytest.fixture(scope="session")
def pattern_pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same pictures as ``pattern_data`` for verification."""
    path = tmp_path_factory.mktemp("patterns") / "dataset"
    return patterns.write_patterns(path, "verification").path


@pytest.fixture(scope="session")
def pattern_classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Model that tells the patterns apart; read only."""
    return patterns.write_model(tmp_path_factory.mktemp("models") / "model", "classification")


@pytest.fixture(scope="session")
def pattern_tower(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Model that embeds the patterns; read only."""
    return patterns.write_model(tmp_path_factory.mktemp("models") / "model", "verification")


@pytest.fixture(scope="session")
def lite_patterns(
    tmp_path_factory: pytest.TempPathFactory, pattern_classifier: Path, pattern_data: Path
) -> Mapping[str, Path]:
    """The classifier in every scheme: folders with model, lite and report; read only.

    Int8 is there with float32, uint8 and int8 edges, as int8, int8-uint8 and int8-int8.
    """
    from components.convert import convert
    from components.quantize import quantize

    root = tmp_path_factory.mktemp("lite")
    plans: dict[str, dict[str, object] | None] = {
        "float32": None,
        "float16": {"scheme": "float16"},
        "dynamic": {"scheme": "dynamic"},
        "int8": {"scheme": "int8"},
        "int8-uint8": {"scheme": "int8", "input_type": "uint8", "output_type": "uint8"},
        "int8-int8": {"scheme": "int8", "input_type": "int8", "output_type": "int8"},
    }
    for name, plan in plans.items():
        folder = root / name
        model = pattern_classifier if plan is None else folder / "model"
        if plan is not None:
            quantize(pattern_classifier, pattern_data, model, folder / "plan", **plan)
        convert(model, folder / "lite", folder / "report")
    return {name: root / name for name in plans}


@pytest.fixture(params=["directory"])
def store_uri(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Addresses of new stores of every kind, by name."""
    return lambda name: str(tmp_path / "stores" / name)
