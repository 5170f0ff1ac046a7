"""One setting of TensorFlow for all tests of a process: it is fixed by the first op."""

import json
import tempfile
from pathlib import Path

import pytest

from pipelines.sources.snapshot import snapshot_model, stage


@pytest.fixture(scope="session", autouse=True)
def _runtime():
    from components.ml.runtime import configure

    configure(threads=2, seed=0)


@pytest.fixture
def take(tmp_path, pattern_data):
    """Import a file; returns the Model's folder and the report."""
    from components.import_model import import_model

    def run(path, data=pattern_data, **given):
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        stage(snapshot_model(str(path)), folder / "source")
        ends = (folder / "model", folder / "report")
        import_model(folder / "source", data, given.pop("modules", None), *ends, **given)
        return folder / "model", json.loads((folder / "report" / "import.json").read_bytes())

    return run


@pytest.fixture
def refused(take):
    """Import a file that is refused, and return what the user is told."""
    from components.contract.errors import UserError

    def run(path, *arguments, **given):
        with pytest.raises(UserError) as caught:
            take(path, *arguments, **given)
        return str(caught.value)

    return run
