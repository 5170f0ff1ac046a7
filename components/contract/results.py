"""The result of a step on a cluster: one folder with all that it made and what it states.

Every artifact costs a cluster: bytes in each description of the step, an entry in its metadata
store, a node in its picture. So a step has one, its result: ``<name>/<output>`` for each output,
``<name>/statement.json`` beside them. Only what the user interface shows by itself, or what not
every reader of the result may get, is an artifact of its own. Local engines, and pipelines that
others write, have an artifact for each output.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from components.contract.errors import UserError

STATEMENT_FILE = "statement.json"
"""The facts of an execution, in the result beside the outputs; written after all of them."""

PORTS = "ports"
"""Parameter of a task: by input the output that it is in the result that enters there."""

DISPLAY_NAME = "display_name"
"""Metadata of what a task makes: what people call it, often a variant."""

_FOLLOWING = ("convert-", "evaluate-", "benchmark-")
"""Beginnings of the names of the tasks that follow every variant's path, before the variant's."""

_FIX = "run the step again that made it, without cached results"


@dataclass(frozen=True)
class ResultForm:
    """Which artifacts a step has on a cluster.

    Attributes:
        name: The output that is the result.
        beside: Outputs of the component that are artifacts of their own.
    """

    name: str
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """The result that one execution is to make.

    Attributes:
        form: Which artifacts there are.
        uri: Address of the folder as it was given.
        type: Title of the type that the artifact has for Kubeflow; empty where nobody said.
        display_name: What people call it; empty where nobody said.
    """

    form: ResultForm
    uri: str
    type: str
    display_name: str


def display_name_of(task: str) -> str:
    """Return what people call what a task makes, by the task's name alone."""
    for beginning in _FOLLOWING:
        if task.startswith(beginning):
            return task.removeprefix(beginning)
    return task


def stated_digest(result: Path, output: str, uri: str) -> str:
    """Return the digest that a result states of one output.

    Args:
        result: The folder, on this machine.
        output: Name of the output.
        uri: Address of the folder, for people.

    Raises:
        UserError: There is no statement, or it does not tell of that output.
    """
    try:
        stated = cast("dict[str, Any]", json.loads((result / STATEMENT_FILE).read_text()))
        found = stated["outputs"][output]["digest"]
    except FileNotFoundError:
        raise UserError(f"{uri} has no {STATEMENT_FILE}, so it is no whole result", _FIX) from None
    except (ValueError, LookupError, TypeError):
        found = None
    if not isinstance(found, str) or not found:
        raise UserError(f"{uri}/{STATEMENT_FILE} states no digest of {output!r}", _FIX)
    return found
