"""KFP's executor input, parsed: what a component is called with.

It is the JSON that Kubeflow Pipelines puts in place of ``{{$}}``; local engines write the same JSON
to a file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from components.contract.errors import UserError
from components.contract.interface import Interface, Port, interface_of
from components.contract.results import (
    PORTS,
    STATEMENT_FILE,
    Result,
    ResultForm,
    display_name_of,
    stated_digest,
)
from components.contract.workspace import WORKSPACE, read_pointer

STATEMENT = "statement"
"""Name of the output that a component has besides its own, unless it has one result: the facts of
this execution."""
SOURCE_DIGEST = "_digest"
"""What follows a source's name in the name of the parameter that says its digest, so that new data
is a new parameter to engines whose caches do not look into artifacts."""

CACHE_KEY = "cache_key"
"""Parameter that tells caches of engines what a step is made from; components never see it. Behind
a space may follow what people call what is made, where the task's name does not say it."""

GATHERED = "gathered"
"""Name of an input artifact that holds a result for each of many steps, and of the parameter that
says by input which of them enters, in order; None where that one is an artifact of its own."""

NOT_GIVEN = -1
"""What an integer without a default is where a pipeline does not give it: no such parameter takes
it, and the SDK's local runner fails where an integer has no value at all."""

PROGRESS = "progress"
"""Key of the executor input under which engines of one machine name the file for progress."""

_NUMBERED_TASK = re.compile(r"(.+)_-?[0-9]+")
_TASK_LEVELS = 5  # scheme, bucket, and the last three: less is no address in a pipeline root
_MOUNTS = {"gs://": "/gcs/", "s3://": "/s3/", "minio://": "/minio/"}


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
        progress: Where the component tells how far it is, or None when nobody wants to know.
        result: The artifact that outputs lie in, or None: each is an artifact of its own.
        gpu: How CUDA calls the GPU that it has to use, or None.
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
    progress: Path | None = None
    result: Result | None = None
    gpu: str | None = None


def local_path(uri: str) -> Path:
    """Map an artifact's address to where KFP mounts it; local paths stay what they are."""
    for scheme, mount in _MOUNTS.items():
        if uri.startswith(scheme):
            return Path(mount + uri.removeprefix(scheme))
    return Path(uri.removeprefix("file://"))


def parse_executor_input(component: str, text: str, form: ResultForm | None = None) -> Call:
    """Read KFP's executor input.

    Args:
        component: Name of the component.
        text: The JSON, or ``@`` and the path of a file that holds it.
        form: Which artifacts there are, where outputs lie in one result; None where each is an
            artifact.

    Raises:
        UserError: Not JSON, an input or output missing, or a parameter that does not fit.
    """
    interface = interface_of(component)
    message = _message(component, text)
    given = _artifacts(message, "inputs")
    made = _artifacts(message, "outputs")
    values = dict(cast("dict[str, object]", _side(message, "inputs").get("parameterValues") or {}))
    _, _, called = str(values.pop(CACHE_KEY, None) or "").partition(" ")
    ports = cast("dict[str, str]", values.pop(PORTS, None) or {}) if form else {}
    gathered = cast("dict[str, list[str | None]]", values.pop(GATHERED, None) or {}) if form else {}
    mount = cast("str | None", values.pop(WORKSPACE, None)) if form else None
    inputs: dict[str, Path | list[Path] | None] = {}
    digests: dict[str, str | list[str] | None] = {}
    uris: dict[str, str | list[str]] = {}
    for port in interface.inputs:
        items = _items(given, port, gathered.get(port.name, ()))
        entered = [_entered(item, ports.get(port.name), mount) for item in items]
        if not entered and not port.many and not port.optional:
            raise UserError(
                f"{component} was given no input {port.name!r}",
                f"pass a {port.kind} as {port.name}",
            )
        paths = [path for path, _, _ in entered]
        stated = [digest for _, _, digest in entered]
        if port.kind == "Source" and (digest := values.pop(port.name + SOURCE_DIGEST, None)):
            stated = [str(digest)]
        inputs[port.name] = paths if port.many else next(iter(paths), None)
        digests[port.name] = stated if port.many else next(iter(stated), None) or None
        if places := [uri for _, uri, _ in entered if uri.startswith(tuple(_MOUNTS))]:
            uris[port.name] = places if port.many else places[0]
    places = _output_places(interface, made, form)
    output_file = _side(message, "outputs").get("outputFile")
    progress = message.get(PROGRESS)
    if not isinstance(progress, str | None):
        raise UserError(
            f"the executor input of {component} names no file for progress, but {progress!r}",
            f"pass a path as {PROGRESS}, or leave it out",
        )
    result = _result(made[form.name][0], form, called) if form else None
    statement = f"{result.uri}/{STATEMENT_FILE}" if result else None
    if STATEMENT in made and not form:
        statement = _uri(made[STATEMENT])
    return Call(
        interface=interface,
        inputs=inputs,
        input_digests=digests,
        input_uris=uris,
        outputs={name: local_path(uri) for name, uri in places.items()},
        output_uris=places,
        statement=local_path(statement) if statement else None,
        parameters=interface.complete(
            {name: value for name, value in values.items() if _is_given(interface, name, value)},
            where=component,
            strict=False,
        ),
        output_file=Path(output_file) if output_file else None,
        progress=Path(progress) if progress else None,
        result=result,
    )


def _result(item: Mapping[str, Any], form: ResultForm, called: str) -> Result:
    """Return the result that is to be made.

    Args:
        item: Its artifact.
        form: Which artifacts there are.
        called: What the task says that people call it, or "": what the task's name says.
    """
    uri, kind = cast("str", item["uri"]), cast("dict[str, str]", item.get("type") or {})
    name = called or display_name_of(_task(uri))
    return Result(form, uri, kind.get("schemaTitle", ""), name)


def _entered(
    item: Mapping[str, Any], output: str | None, mount: str | None
) -> tuple[Path, str, str]:
    """Return place, address and digest of what enters a port; no digest where nothing states it.

    Args:
        item: The artifact. One whose metadata state a digest is what the port takes; another one
            is a result that holds it.
        output: What the port takes of a result, or None: the artifact itself.
        mount: Where a volume is mounted that may hold it, or None.
    """
    uri, digest = cast("str", item["uri"]), _digest_in(item)
    if output is None or digest:
        return local_path(uri), uri, digest or ""
    result = local_path(uri)
    digest = stated_digest(result, output, uri)
    pointer = read_pointer(result)
    path = pointer.place(output, mount) if pointer and output in pointer.trees else result / output
    return path, f"{pointer.result if pointer else uri}/{output}", digest


def _is_given(interface: Interface, name: str, value: object) -> bool:
    """Whether a parameter has a value: none is said in two ways."""
    without = {one.name for one in interface.parameters if not one.required and one.default is None}
    return value is not None and not (name in without and value == NOT_GIVEN)


def _output_places(
    interface: Interface, made: Mapping[str, list[dict[str, Any]]], form: ResultForm | None
) -> dict[str, str]:
    """Return the address of every output."""
    names = [port.name for port in interface.outputs]
    own = [name for name in names if form is None or name in form.beside]
    for name in (*own, form.name) if form else own:
        if name not in made:
            raise UserError(
                f"{interface.name} was given no path for its output {name!r}",
                "recompile the pipeline with this version of slimline",
            )
    inside = f"{_uri(made[form.name])}/" if form else ""
    return {name: _uri(made[name]) if name in own else f"{inside}{name}" for name in names}


def _task(uri: str) -> str:
    """Return the task that an artifact ``.../task/salt/name`` in a pipeline root is of.

    Vertex AI writes ``.../job/task_number/name``; no salt has an underscore.
    """
    parts = uri.split("/")
    if not uri.startswith(tuple(_MOUNTS)) or len(parts) <= _TASK_LEVELS:
        return ""
    numbered = _NUMBERED_TASK.fullmatch(parts[-2])
    return numbered[1] if numbered else parts[-3]


def _uri(artifacts: list[dict[str, Any]]) -> str:
    return artifacts[0]["uri"]


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


def _items(
    given: Mapping[str, list[dict[str, Any]]], port: Port, gathered: Sequence[str | None]
) -> list[dict[str, Any]]:
    """Collect what enters a port.

    Many come as ``models_0 ... models_N-1``, or in a list from an engine without that limit. Some
    of them may lie together in one artifact, each in a folder of its own.
    """
    if port.name in given or not port.many:
        return given.get(port.name, [])
    items: list[dict[str, Any]] = []
    for folder in gathered:
        if folder is None:
            items += given.get(f"{port.name}_{len(items)}", [])[:1]
        else:
            items.append({"uri": f"{_uri(given[GATHERED])}/{folder}"})
    while found := given.get(f"{port.name}_{len(items)}"):
        items.append(found[0])
    return items


def _digest_in(item: Mapping[str, Any]) -> str | None:
    metadata = cast("dict[str, Any]", item.get("metadata") or {})
    return metadata.get("digest")
