"""One run, which the commands are shown to have looked at."""

import subprocess
from pathlib import Path

import pytest

from tests.pipelines.cli.command_line import slimline, written


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("cli")
    path = written(folder / "tiny.yaml")
    done = slimline("run", path, "--store", "st", "--json", cwd=folder)
    assert done.returncode in (0, 3), done.stderr
    return folder, done
