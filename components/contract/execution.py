"""How any engine runs a component: executor input in, outputs and a statement out.

The executor input is the JSON that Kubeflow Pipelines puts in place of ``{{$}}``; local engines
write the same JSON to a file.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import resource
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

from components.contract.closure import code_digest
from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.contract.interface import (
    SINGLE_FILE_KINDS,
    Interface,
    Port,
    function_of,
    interface_of,
)
from components.contract.source import Source
from components.contract.tree import Tree, tree_of

OK, CRASHED, USER_FAULT = 0, 1, 2
STATEMENT = "statement"
"""Name of the output that every component has besides its own: the facts of this execution."""
SOURCE_DIGEST = "_digest"
"""What follows a source's name in the name of the parameter that says its digest, so that new data
is a new parameter to engines whose caches do not look into artifacts."""

_DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_MOUNTS = {"gs://": "/gcs/", "s3://": "/s3/", "minio://": "/minio/"}
_VERSIONED = (
    "ai-edge-litert", "jinja2", "numpy", "pillow", "pydantic", "safetensors", "tensorflow",
    "tensorflow-model-optimization", "tf-keras",
)  # fmt: skip


@dataclass(frozen=True)
class Call:
    """One execution of a component, with paths of this machine.

    Attributes:
        interface: The component.
        inputs: Path, list of paths or None for every input.
        input_digests: The tree digest that the engine vouches for, where it gives one.
        input_uris: Address of every input that came from a bucket, under its name.
        outputs: Path for every output.
        output_uris: Address of every output as it was given.
        statement: Where the statement goes, or None when nobody asked for it.
        parameters: Complete and checked.
        output_file: Where KFP expects ``executor_output.json``, or None.
    """

    interface: Interface
    inputs: dict[str, Path | list[Path] | None]
    input_digests: dict[str, str | list[str] | None]
    input_uris: dict[str, str | list[str]]
    outputs: dict[str, Path]
    output_uris: dict[str, str]
    statement: Path | None
    parameters: dict[str, object]
    output_file: Path | None


def local_path(uri: str) -> Path:
    """Map an artifact's address to where KFP mounts it; local paths stay what they are."""
    for scheme, mount in _MOUNTS.items():
        if uri.startswith(scheme):
            return Path(mount + uri.removeprefix(scheme))
    return Path(uri.removeprefix("file://"))


def parse_executor_input(component: str, text: str) -> Call:
    """Read KFP's executor input.

    Args:
        component: Name of the component.
        text: The JSON, or ``@`` and the path of a file that holds it.

    Raises:
        UserError: Not JSON, an input or output missing, or a parameter that does not fit.
    """
    interface = interface_of(component)
    message = _message(component, text)
    given = _artifacts(message, "inputs")
    made = _artifacts(message, "outputs")
    values = dict(cast("dict[str, object]", _side(message, "inputs").get("parameterValues") or {}))
    inputs: dict[str, Path | list[Path] | None] = {}
    digests: dict[str, str | list[str] | None] = {}
    uris: dict[str, str | list[str]] = {}
    for port in interface.inputs:
        items = _items(given, port)
        if not items and not port.many and not port.optional:
            raise UserError(
                f"{component} was given no input {port.name!r}",
                f"pass a {port.kind} as {port.name}",
            )
        paths = [local_path(item["uri"]) for item in items]
        told = [_digest_in(item) or "" for item in items]
        if port.kind == "Source" and (digest := values.pop(port.name + SOURCE_DIGEST, None)):
            told = [str(digest)]
        inputs[port.name] = paths if port.many else next(iter(paths), None)
        digests[port.name] = told if port.many else next(iter(told), None) or None
        if places := [item["uri"] for item in items if item["uri"].startswith(tuple(_MOUNTS))]:
            uris[port.name] = places if port.many else places[0]
    missing = [port.name for port in interface.outputs if port.name not in made]
    if missing:
        raise UserError(
            f"{component} was given no path for its output {missing[0]!r}",
            "recompile the pipeline with this version of slimline",
        )
    output_file = _side(message, "outputs").get("outputFile")
    return Call(
        interface=interface,
        inputs=inputs,
        input_digests=digests,
        input_uris=uris,
        outputs={port.name: local_path(made[port.name][0]["uri"]) for port in interface.outputs},
        output_uris={port.name: made[port.name][0]["uri"] for port in interface.outputs},
        statement=local_path(made[STATEMENT][0]["uri"]) if STATEMENT in made else None,
        parameters=interface.complete(
            {name: value for name, value in values.items() if value is not None},
            where=component,
            strict=False,
        ),
        output_file=Path(output_file) if output_file else None,
    )


def _message(component: str, text: str) -> dict[str, Any]:
    raw = Path(text[1:]).read_text() if text.startswith("@") else text
    try:
        return cast("dict[str, Any]", json.loads(raw))
    except json.JSONDecodeError as error:
        raise UserError(
            f"the executor input of {component} is no JSON: {error}",
            "pass what {{$}} expands to, or @FILE",
        ) from None


def _side(message: Mapping[str, Any], side: str) -> dict[str, Any]:
    return message.get(side) or {}


def _artifacts(message: Mapping[str, Any], side: str) -> dict[str, list[dict[str, Any]]]:
    listed = cast("dict[str, Any]", _side(message, side).get("artifacts") or {})
    return {name: value["artifacts"] for name, value in listed.items() if _holds(value)}


def _holds(value: Mapping[str, Any] | None) -> bool:
    """Whether anything is in the list: absent is said in three ways."""
    return bool(value and value.get("artifacts"))


def _items(given: Mapping[str, list[dict[str, Any]]], port: Port) -> list[dict[str, Any]]:
    """Collect what enters a port.

    Many come as ``models_0 ... models_N-1``, or in a list from an engine without that limit.
    """
    if port.name in given or not port.many:
        return given.get(port.name, [])
    items: list[dict[str, Any]] = []
    while found := given.get(f"{port.name}_{len(items)}"):
        items.append(found[0])
    return items


def _digest_in(item: Mapping[str, Any]) -> str | None:
    metadata = cast("dict[str, Any]", item.get("metadata") or {})
    return metadata.get("digest")


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
    code, outcome = _call(function, call)
    trees: dict[str, Tree] = {}
    if code == OK:
        code, outcome, trees = _outputs(call)
    finished = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    statement = _statement(call, trees, outcome, started, finished)
    if call.statement:
        call.statement.parent.mkdir(parents=True, exist_ok=True)
        call.statement.write_bytes(canonical_json(statement))
    if call.output_file and code == OK:
        call.output_file.parent.mkdir(parents=True, exist_ok=True)
        call.output_file.write_bytes(canonical_json(_executor_output(call, trees)))
    return code


def _call(function: Callable[..., None], call: Call) -> tuple[int, dict[str, str]]:
    try:
        try:
            _check_inputs(call)
            function(**call.inputs, **call.outputs, **call.parameters)
        except OSError as error:
            where = f"{error.filename or 'the scratch folder'}: {error.strerror}"
            if error.errno == errno.EACCES:
                raise UserError(
                    f"{where} for the step's user {os.getuid()}",
                    "let others read it: chmod -R o+rX, or run slimline as the user whose it is",
                ) from error
            if error.errno not in _DISK_FAULTS:
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
    """Hold what came from a bucket against the digests that were told of it.

    What an engine of this machine staged it has checked itself.

    Raises:
        UserError: Something else lies there, or not all of it.
    """
    for port in call.interface.inputs:
        if port.name not in call.input_uris and port.kind != "Source":
            continue
        paths, told = call.inputs[port.name], call.input_digests.get(port.name)
        paths = paths if isinstance(paths, list) else [paths]
        told = told if isinstance(told, list) else [told]
        for path, digest in zip(paths, told, strict=True):
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
    said: dict[str, object] = dict(call.input_digests)
    for name, uris in call.input_uris.items():
        digests = call.input_digests[name]
        if isinstance(uris, list) and isinstance(digests, list):
            pairs = zip(digests, uris, strict=True)
            said[name] = [{"digest": digest, "uri": uri} for digest, uri in pairs]
        else:
            said[name] = {"digest": digests, "uri": uris}
    return said


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
            }
            for name, tree in trees.items()
        },
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


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _VERSIONED:
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


def _executor_output(call: Call, trees: Mapping[str, Tree]) -> dict[str, object]:
    """The file that KFP reads: metadata as strings and numbers, curves in the SDK's own shape.

    Addresses are said again, as they were: the SDK's local runner forgets those that are not.
    """
    artifacts: dict[str, object] = {}
    for port in call.interface.outputs:
        tree = trees[port.name]
        metadata: dict[str, object] = {"digest": tree.digest, "size_bytes": tree.size_bytes}
        if port.kind in ("Metrics", "Curve"):
            content = cast("dict[str, object]", json.loads(call.outputs[port.name].read_text()))
            metadata |= content if port.kind == "Curve" else _scalars(content)
        uri = call.output_uris.get(port.name, str(call.outputs[port.name]))
        artifacts[port.name] = {"artifacts": [{"uri": uri, "metadata": metadata}]}
    return {"artifacts": artifacts}


def _scalars(content: Mapping[str, object]) -> dict[str, str | int | float]:
    """Keep what KFP takes: it would wrap a list, and fail the finished step because of a null."""
    return {
        name: value
        if isinstance(value, str | int | float) and not isinstance(value, bool)
        else canonical_json(value).decode()
        for name, value in content.items()
        if value is not None
    }


def is_single_file(interface: Interface, output: str) -> bool:
    """Whether the output called ``output`` is one file and not a folder."""
    return any(port.name == output and port.kind in SINGLE_FILE_KINDS for port in interface.outputs)
