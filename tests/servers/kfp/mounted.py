"""The entry point of the images with its mounts below a folder: ``python -m tests.servers.kfp.mounted``.

In a pod the launcher has /gcs, /s3, /minio and /tmp for itself. A process of this machine finds them
below the folder that is the first argument; nothing else of the entry point is changed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.__main__ import main
from components.contract import executor_input, staging
from components.contract.workspace import WORKSPACE

ENTRIES = {"components": main, "components.contract.staging": staging.main}
"""What ``python -m`` is called with in the images."""

_FLAG = "--executor-input"


@contextmanager
def mounts_below(folder: Path) -> Iterator[None]:
    """Find what lies in buckets below a folder."""
    before = dict(executor_input._MOUNTS)
    for scheme, mount in before.items():
        executor_input._MOUNTS[scheme] = f"{folder}{mount}"
    try:
        yield
    finally:
        executor_input._MOUNTS.update(before)


def rooted(arguments: list[str], folder: Path) -> list[str]:
    """Return the arguments of the entry point with the output file below a folder."""
    made = list(arguments)
    place = made.index(_FLAG) + 1
    told = json.loads(made[place])
    values = told["inputs"].get("parameterValues", {})
    if workspace := values.get(WORKSPACE):
        values[WORKSPACE] = f"{folder}{workspace}"
    if output_file := told["outputs"].get("outputFile"):
        told["outputs"]["outputFile"] = f"{folder}{output_file}"
    made[place] = json.dumps(told)
    return made


if __name__ == "__main__":
    root, entry = Path(sys.argv[1]), ENTRIES[sys.argv[2]]
    with mounts_below(root):
        sys.exit(entry(rooted(sys.argv[3:], root)))
