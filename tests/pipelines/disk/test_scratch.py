"""A run's folder goes with the run, or with the next one, whatever steps left in it."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.disk.scratch import scratch_folder
from tests.data.deep_trees import LONG, dig

ROOT = Path(__file__).parents[3]
DIES = """
import os, sys
from pathlib import Path
from pipelines.disk.scratch import scratch_folder
from tests.data.deep_trees import dig
with scratch_folder(Path(sys.argv[1]), "dead") as folder:
    dig(folder, int(sys.argv[2]), sys.argv[3])
    os._exit(0)
"""

deep = pytest.mark.parametrize(("depth", "name"), [(3000, "d"), (100, LONG)])


@deep
def test_a_deep_folder_is_gone_with_its_lock_when_the_run_ends(cleared, depth, name):
    with scratch_folder(cleared / "work", "a-run") as folder:
        dig(folder, depth, name)
    assert not list((cleared / "work").iterdir())


@deep
def test_a_deep_folder_of_a_dead_run_is_swept_by_the_next(cleared, depth, name):
    root = cleared / "work"
    subprocess.run([sys.executable, "-c", DIES, root, str(depth), name], cwd=ROOT, check=True)
    assert (root / "dead").exists()
    with scratch_folder(root, "next") as folder:
        assert {path.name for path in root.iterdir()} == {"next", "next.lock"}
        assert folder.is_dir()
