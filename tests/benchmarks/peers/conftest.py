"""Fixtures of the comparison with other tools."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.benchmarks.peers.stand_ins import write_wheel


@dataclass(frozen=True)
class Installing:
    """What stands for a tool to install.

    Attributes:
        root: Of all environments; those of earlier tests are there.
        requirements: That pip can install without a network.
    """

    root: Path
    requirements: tuple[str, ...]


@pytest.fixture(scope="session")
def installing(tmp_path_factory: pytest.TempPathFactory) -> Installing:
    """An environment is made once and serves all tests, as pip takes its seconds."""
    folder = tmp_path_factory.mktemp("installing")
    wheel = write_wheel(folder / "wheels", "standin")
    return Installing(folder / "environments", ("--no-index", str(wheel)))
