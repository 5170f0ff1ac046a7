"""The command line as a process of its own, which tests call as a shell would."""

import os
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
TINY = ROOT / "tests" / "data" / "tiny.yaml"


def python(code: str, *arguments: str) -> str:
    """Run code in a fresh interpreter and return what it printed."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def slimline(
    *arguments: str | Path, cwd: Path = ROOT, check: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Call a command; ``check`` is the exit code that it must return."""
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        check=False,
    )
    if check is not None:
        assert done.returncode == check, done.stderr
    return done


def written(path: Path, **changes: object) -> Path:
    """Write the smallest configuration that trains only once, with these changes."""
    plain = yaml.safe_load(TINY.read_text())
    plain["variants"] = {"teacher-int8": [{"quantize": {"scheme": "int8"}}]}
    path.write_text(yaml.safe_dump({**plain, **changes}, sort_keys=False))
    return path
