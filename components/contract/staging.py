"""Staging: one Dataset put on the volume that the pods of a run share.

``python -m components.contract.staging --result NAME --executor-input JSON`` in the image
``light``; a task of the pipelines of clusters with a workspace, and no component. What is there
already, whole, stays: a claim is there longer than a run. Files are made read-only, since Kubeflow
mounts no volume so.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import shutil
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.contract.execution import EXIT_LINE, OK, USER_FAULT
from components.contract.executor_input import local_path
from components.contract.results import PORTS, stated_digest
from components.contract.tree import tree_of
from components.contract.workspace import POINTER_FILE, WORKSPACE, Pointer, tree_folder

_READABLE, _ENTERABLE, _OURS = 0o444, 0o555, 0o755


def main(argv: list[str]) -> int:
    """Stage what the executor input names and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m components.contract.staging")
    parser.add_argument("--result", required=True, help="the output that the pointer is")
    parser.add_argument("--executor-input", metavar="JSON", required=True)
    arguments = parser.parse_args(argv)
    message = cast("dict[str, Any]", json.loads(arguments.executor_input))
    code = OK
    try:
        _stage_all(message, arguments.result)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        code = USER_FAULT
    sys.stderr.write(f"{EXIT_LINE.format(code)}\n")
    return code


def _stage_all(message: Mapping[str, Any], name: str) -> None:
    values, inputs = message["inputs"]["parameterValues"], message["inputs"]["artifacts"]
    ((port, output),) = cast("dict[str, str]", values[PORTS]).items()
    uri = cast("str", inputs[port]["artifacts"][0]["uri"])
    result, mount = local_path(uri), cast("str", values[WORKSPACE])
    digest = stated_digest(result, output, uri)
    try:
        stage(result / output, tree_folder(mount, digest), digest, uri)
    except OSError as error:
        raise _fault(error, mount) from error
    (made,) = message["outputs"]["artifacts"][name]["artifacts"]
    pointer = local_path(made["uri"])
    shutil.copytree(
        result, pointer, copy_function=shutil.copyfile, dirs_exist_ok=True,
        ignore=lambda folder, _: [output] if Path(folder) == result else [],
    )  # fmt: skip
    content = Pointer(uri, {output: digest}).to_json()
    (pointer / POINTER_FILE).write_bytes(canonical_json(content))
    told = {"uri": made["uri"], "metadata": {"display_name": f"{output} in the workspace"}}
    file = Path(message["outputs"]["outputFile"])
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(canonical_json({"artifacts": {name: {"artifacts": [told]}}}))


def stage(source: Path, place: Path, digest: str, uri: str) -> None:
    """Put a tree on a volume, whole or not at all; of several at once, one does.

    Args:
        source: The tree, as the launcher has copied it into this pod.
        place: Where it is to lie.
        digest: What it has to be.
        uri: Where it came from, for people.

    Raises:
        UserError: It is something else, or not all of it.
    """
    if place.exists():
        if tree_of(place).digest == digest:
            return
        _remove(place)  # a copy that was changed, or that a disk has lost a part of
    if not source.exists() or tree_of(source).digest != digest:
        raise UserError(
            f"what lies at {uri}/{source.name} is not what its statement says",
            "run the step again that made it, without cached results",
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = place.with_name(f".{digest[:16]}-{uuid.uuid4()}")
    try:
        shutil.copytree(source, temporary, copy_function=shutil.copyfile)
        for path in sorted(temporary.rglob("*"), reverse=True):
            path.chmod(_ENTERABLE if path.is_dir() else _READABLE)
        try:
            temporary.rename(place)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            # Another run has put the same there meanwhile.
        else:
            place.chmod(_ENTERABLE)
    finally:
        if temporary.exists():
            _remove(temporary)


def _remove(folder: Path) -> None:
    """Remove a folder of ours, whose folders are not writable."""
    folder.chmod(_OURS)
    for path, folders, _ in os.walk(folder):
        for name in folders:
            (Path(path) / name).chmod(_OURS)
    shutil.rmtree(folder)


def _fault(error: OSError, mount: str) -> UserError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(
            f"the workspace mounted at {mount} is full",
            "give it more under kubeflow.workspace, or empty the claim: it holds copies alone",
        )
    return UserError(
        f"{error.filename or mount}: {error.strerror} for the step's user {os.getuid()}, who has "
        "to write to the workspace once",
        "use a storage class whose volumes every user may write, or chmod the claim's root to 777",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
