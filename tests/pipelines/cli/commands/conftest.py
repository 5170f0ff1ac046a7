"""One run, which the commands are shown to have looked at."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.data.made_once import made_once
from tests.pipelines.cli.command_line import slimline, written

_SAID = "said.json"


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = made_once(tmp_path_factory, "cli", _run)
    said = json.loads((folder / _SAID).read_text())
    (folder / _SAID).unlink()
    return folder, subprocess.CompletedProcess(**said)


def _run(folder: Path) -> None:
    done = slimline("run", written(folder / "tiny.yaml"), "--store", "st", "--json", cwd=folder)
    assert done.returncode in (0, 3), done.stderr
    (folder / _SAID).write_text(json.dumps(vars(done)))
