"""A volume that the pods of a run share, where a Dataset lies once instead of in every pod.

Kubeflow's launcher copies every input artifact into every pod. Where a run has a workspace, one
task puts the Dataset there (``staging.py``), and readers of the result that held it get a *pointer*
in its place: a folder with all of the result but the Dataset, and ``workspace.json``, which says
where that lies on the volume and where the result lies in the bucket. What is read is held against
the digest that the statement of the result has for it, as if it came from the bucket.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from components.contract.errors import UserError

WORKSPACE = "workspace"
"""Parameter of a task: the folder that the volume is mounted at."""

POINTER_FILE = "workspace.json"
FOLDER = "slimline"
"""Folder on the volume, with one folder for each tree, named by its digest."""

SCHEMA = 1
_AGAIN = "run once with kubeflow: {cache: false}, which puts it there again"


@dataclass(frozen=True)
class Pointer:
    """What stands in place of a result whose outputs lie on a volume.

    Attributes:
        result: Address of the result in the bucket.
        trees: By output the digest that its folder is called after.
    """

    result: str
    trees: dict[str, str]

    def to_json(self) -> dict[str, object]:
        """Return the content of ``workspace.json``."""
        return {"schema": SCHEMA, "result": self.result, "trees": self.trees}

    def place(self, output: str, mount: str | None) -> Path:
        """Return where one of its outputs lies on the volume.

        Args:
            output: Name of the output.
            mount: The folder that the volume is mounted at, as the task was told.

        Raises:
            UserError: The task has no volume, or the output is not on it.
        """
        if not mount:
            raise UserError(
                f"{self.result} lies in a workspace, and this task was given none",
                "recompile the pipeline with this version of slimline",
            )
        place = tree_folder(mount, self.trees[output])
        if not place.is_dir():
            raise UserError(
                f"the workspace mounted at {mount} does not hold {output!r} of {self.result}: "
                "somebody emptied it, and the cluster's cache does not know",
                _AGAIN,
            )
        return place


def tree_folder(mount: str, tree: str) -> Path:
    """Return where a volume keeps the tree with this digest."""
    return Path(mount) / FOLDER / tree


def read_pointer(result: Path) -> Pointer | None:
    """Return the pointer that stands in place of a result, or None: the result itself is there.

    Raises:
        UserError: It is not one that this version of slimline writes.
    """
    path = result / POINTER_FILE
    try:
        content = cast("dict[str, Any]", json.loads(path.read_text()))
        if content["schema"] == SCHEMA:
            return Pointer(str(content["result"]), dict(content["trees"]))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, LookupError, TypeError):
        pass
    raise UserError(f"{path} is no pointer into a workspace that can be read", _AGAIN)
