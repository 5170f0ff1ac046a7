"""The recordings of four versions."""

from pathlib import Path

import pytest

from tests.pipelines.engines.kubeflow.ir.sizes.recorded import Recorded, read

VERSIONS = ("2.5.0", "2.14.0", "2.16.1", "2.17.0")


@pytest.fixture(params=VERSIONS)
def recorded(request: pytest.FixtureRequest, shared: Path) -> Recorded:
    return read(shared / "kfp_golden", request.param)
