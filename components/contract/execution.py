"""How any engine runs a component: a call in, outputs and a statement out, an exit code."""

from __future__ import annotations

import errno
import os
import platform
import resource
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import cast

from components.contract.accelerator import Accelerator, giving
from components.contract.closure import code_digest
from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.contract.executor_input import Call
from components.contract.images import EXTRAS, OPTIONAL, PACKAGES
from components.contract.interface import function_of
from components.contract.metadata import executor_output, result_metadata
from components.contract.progress import telling
from components.contract.source import Source
from components.contract.tree import Tree, tree_of

OK, CRASHED, USER_FAULT = 0, 1, 2

EXIT_LINE = "exit code {}"
"""The last line of a step's log. Engines that see no more of a step than its log tell by it how it
ended: without it, it was killed."""

_DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def execute(call: Call) -> int:
    """Run the component and write what the engine reads afterwards.

    Returns:
        ``OK``, ``USER_FAULT`` or ``CRASHED``. A fault is on standard error and, where asked for,
        in the statement; outputs count only after ``OK``.
    """
    function = function_of(call.interface.name)
    started, wall, cpu = datetime.now(UTC), time.perf_counter(), time.process_time()
    for path in call.outputs.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    accelerator = Accelerator(call.gpu) if call.gpu else None
    with giving(accelerator):
        code, outcome = _call(function, call)
    trees: dict[str, Tree] = {}
    if code == OK:
        code, outcome, trees = _outputs(call)
    finished = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    statement = _statement(call, trees, outcome, started, finished)
    if accelerator and accelerator.name:
        cast("dict[str, object]", statement["machine"])["gpu"] = accelerator.name
    if call.statement:
        call.statement.parent.mkdir(parents=True, exist_ok=True)
        call.statement.write_bytes(canonical_json(statement))
    if call.output_file and code == OK:
        call.output_file.parent.mkdir(parents=True, exist_ok=True)
        call.output_file.write_bytes(canonical_json(executor_output(call, trees)))
    return code


def _call(function: Callable[..., None], call: Call) -> tuple[int, dict[str, str]]:
    try:
        try:
            _check_inputs(call)
            arguments = call.interface.arguments(call.parameters)
            with telling(call.progress):
                function(**call.inputs, **call.outputs, **arguments)
        except OSError as error:
            place = error.filename or Path.cwd()  # a file that is open may have no name
            where = f"{place}: {error.strerror}"
            if error.errno == errno.ENOSPC or _is_short_write(error):
                where = f"the disk is full at {place} ({error.strerror or error})"
            if error.errno == errno.EACCES:
                raise UserError(
                    f"{where} for the step's user {os.getuid()}",
                    "let others read it: chmod -R o+rX, or run slimline as the user whose it is",
                ) from error
            if error.errno not in _DISK_FAULTS and not _is_short_write(error):
                raise
            raise UserError(
                where, "free space there, or keep the store on a larger disk"
            ) from error
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return USER_FAULT, {"result": "user-fault", "what": error.what, "fix": error.fix}
    except Exception as error:  # noqa: BLE001 the boundary: the engine needs an exit code and a reason
        traceback.print_exc()
        return CRASHED, {"result": "crashed", "what": f"{type(error).__name__}: {error}"}
    return OK, {"result": "ok"}


_LISTED = 10_000
"""An output of at most so many files is listed file by file; none of ours has nearly as many."""


def _is_short_write(error: OSError) -> bool:
    """Whether numpy could not write all of an array, which is all that it says of a full disk."""
    return error.errno is None and "requested and" in str(error) and "written" in str(error)


def _outputs(call: Call) -> tuple[int, dict[str, str], dict[str, Tree]]:
    """Hash what the component wrote, which need not be what an artifact may hold."""
    trees: dict[str, Tree] = {}
    for name, path in call.outputs.items():
        try:
            trees[name] = tree_of(path)
        except ValueError as error:
            what = f"its output {name} cannot be kept: {error}"
            sys.stderr.write(f"{what}\n")
            return CRASHED, {"result": "crashed", "what": what}, {}
    return OK, {"result": "ok"}, trees


def _check_inputs(call: Call) -> None:
    """Hold what came from a bucket against the digests that were stated for it.

    What an engine of this machine staged it has checked itself.

    Raises:
        UserError: Something else lies there, or not all of it.
    """
    for port in call.interface.inputs:
        if port.name not in call.input_uris and port.kind != "Source":
            continue
        paths, stated = call.inputs[port.name], call.input_digests.get(port.name)
        paths = paths if isinstance(paths, list) else [paths]
        stated = stated if isinstance(stated, list) else [stated]
        for path, digest in zip(paths, stated, strict=True):
            if path is None or not digest:
                continue
            found = Source.open(path).digest if port.kind == "Source" else _digest_at(path)
            if found != digest:
                raise UserError(
                    f"{port.name}: what lies at {path} has the digest {found or 'of nothing'}, "
                    f"expected {digest}",
                    "run the step again that made it, without cached results",
                )


def _digest_at(path: Path) -> str | None:
    return tree_of(path).digest if path.exists() else None


def _statement_inputs(call: Call) -> dict[str, object]:
    """Say the digest of every input, and of what came from a bucket also where it lies there."""
    stated: dict[str, object] = dict(call.input_digests)
    for name, uris in call.input_uris.items():
        digests = call.input_digests[name]
        if isinstance(uris, list) and isinstance(digests, list):
            pairs = zip(digests, uris, strict=True)
            stated[name] = [{"digest": digest, "uri": uri} for digest, uri in pairs]
        else:
            stated[name] = {"digest": digests, "uri": uris}
    return stated


def _statement(
    call: Call,
    trees: Mapping[str, Tree],
    outcome: Mapping[str, str],
    started: datetime,
    finished: Mapping[str, float],
) -> dict[str, object]:
    """The facts that only the container knows; the host completes them into the step's record."""
    return {
        "component": call.interface.name,
        "code": code_digest(call.interface.name),
        "inputs": _statement_inputs(call),
        "parameters": call.parameters,
        "outputs": {
            name: {
                "digest": tree.digest,
                "size_bytes": tree.size_bytes,
                "files": len(tree.entries),
                **({"uri": call.output_uris[name]} if call.result else {}),
                **({"entries": tree.to_json()["entries"]} if len(tree.entries) <= _LISTED else {}),
            }
            for name, tree in trees.items()
        },
        **_artifact(call, outcome),
        "outcome": outcome,
        "versions": _versions(),
        "machine": {
            "architecture": platform.machine(),
            "cpu": _cpu_model(),
            "cores": os.cpu_count() or 1,
            "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        },
        "started": started.isoformat(timespec="milliseconds"),
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        **finished,
    }


def _artifact(call: Call, outcome: Mapping[str, str]) -> dict[str, object]:
    """Say what Kubeflow is told of a result, so that it can be told again of the same bytes."""
    if call.result is None or outcome["result"] != "ok":
        return {}
    told = {"name": call.result.form.name, "type": call.result.type}
    return {"artifact": {**told, "metadata": result_metadata(call, call.result)}}


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in sorted(
        {name for kind in (PACKAGES, OPTIONAL, EXTRAS) for names in kind.values() for name in names}
    ):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # not in this image
    return found


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
