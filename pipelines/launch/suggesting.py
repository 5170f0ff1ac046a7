"""Suggesting variants before there is a run: by what earlier runs took, where there are any."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from components.contract.errors import UserError
from pipelines.compress import graph_of
from pipelines.config.configuration import Config
from pipelines.config.faults import fault_of
from pipelines.config.loading import suggestion_for
from pipelines.config.sections import AutoSection
from pipelines.config.suggest.tree import Suggestion
from pipelines.config.suggest.writing import with_variants
from pipelines.disk.names import absolute
from pipelines.runs.live.estimates import durations, has_runs, makespan, usable_cores
from pipelines.stores.opening import open_store

_SECONDS = 60


def suggest(path: Path, given: Mapping[str, object]) -> tuple[str, Suggestion]:
    """Suggest variants for a configuration, and write them into its text.

    Where runs of its name have ended in its store, what their steps took decides how much fits
    into the time; else assumptions do, as for ``variants: auto``.

    Args:
        path: A configuration; its own variants do not count.
        given: Keys of ``auto`` that count in place of the file's, as options of the command have
            them.

    Returns:
        The text with the variants, and the suggestion.

    Raises:
        UserError: The configuration is not valid, or cannot be rewritten.
    """
    _check(given)
    suggestion = suggestion_for(path, auto=given, told=_told)
    return with_variants(path.read_text("utf-8-sig"), suggestion), suggestion


def _check(given: Mapping[str, object]) -> None:
    """Refuse an option by its own name: the file does not hold what is wrong."""
    try:
        AutoSection.model_validate(dict(given))
    except ValidationError as error:
        (key, *_), what, _ = fault_of(error.errors()[0])
        fix = f"give another number, or leave --{key} away"
        raise UserError(f"--{what}", fix) from None


def put_beside(text: str, source: Path, target: Path) -> None:
    """Write the text into a new file in the folder of the configuration that it is made from.

    Raises:
        UserError: There is a file already, it cannot be written, or it would lie elsewhere, where
            the paths in it mean something else.
    """
    folder = absolute(source).parent
    if absolute(target).parent != folder:
        raise UserError(
            f"{target} would lie in another folder than {source}, and its paths are relative to it",
            f"write it beside: -o {source.parent / target.name}",
        )
    try:
        with target.open("x") as file:
            file.write(text)
    except FileExistsError:
        raise UserError(f"there is a {target} already", "name a new file, or remove it") from None
    except OSError as error:
        raise UserError(
            f"{target} cannot be written: {error.strerror}", "name a file in a folder that exists"
        ) from None


def _told(config: Config) -> float | None:
    """Return how many minutes earlier runs say that a configuration takes, or None."""
    store = open_store(config.store)
    if not has_runs(store, config.name):
        return None
    graph = graph_of(config)
    took = durations(store, graph)
    if any(step.name not in took for step in graph.steps):
        return None
    return makespan(graph, took, (), usable_cores()) / _SECONDS
