"""Devices: what was measured on which, and where configurations measure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from starlette.responses import Response

from components.contract.errors import UserError
from components.devices.fingerprint import fingerprint
from components.statistics.bootstrap import Interval
from pipelines.config.configuration import Config
from pipelines.config.loading import load
from pipelines.lineage.index.opening import OpenIndex
from pipelines.stores.store import Store
from pipelines.triggers.kept import config_of, list_triggers
from pipelines.web.view import PageRoute, View

_MET = """
SELECT machine.device, machine.facts, machine.runtime, count(DISTINCT run.id),
       count(DISTINCT machine.decision), min(run.started), max(run.started)
FROM machine JOIN choice ON choice.artifact = machine.decision JOIN run ON run.id = choice.run
GROUP BY 1, 2, 3 ORDER BY 7 DESC LIMIT ?
"""
_LATEST = """
SELECT run.id, run.run, machine.decision, machine.threads, machine.processes, machine.inferences
FROM machine JOIN choice ON choice.artifact = machine.decision JOIN run ON run.id = choice.run
WHERE machine.device = ? AND machine.facts = ? AND machine.runtime = ?
ORDER BY run.started DESC, run.run DESC LIMIT 1
"""
_TIMES = """
SELECT variant, value, low, high FROM metric
WHERE decision = ? AND device = ? AND name = 'p50_ms' ORDER BY value, variant LIMIT ?
"""
_REPORTS = """
SELECT run_step.step, artifact.digest, execution.finished FROM run_step
JOIN execution ON execution.id = run_step.execution AND execution.component GLOB 'benchmark*'
JOIN made ON made.execution = execution.id AND made.port = 'report'
JOIN artifact ON artifact.id = made.artifact WHERE run_step.run = ?
"""
_MOST_DEVICES, _MOST_TIMES, _KEPT = 50, 12, 64


@dataclass(frozen=True)
class Timed:
    """One variant, as the latest run on a device measured it.

    Attributes:
        variant: Its name.
        p50_ms: Median with its interval.
        report: Address of the report of benchmark; None where the records do not tell.
        measured: When, ISO 8601, or None.
    """

    variant: str
    p50_ms: Interval
    report: str | None
    measured: str | None


@dataclass(frozen=True)
class Met:
    """A device that runs have measured on.

    Attributes:
        name: As configurations call it.
        facts: Its fingerprint.
        runtime: Name and version.
        runs: How many runs rest on it.
        choices: How many choices between variants do.
        first: When the first of the runs began, ISO 8601.
        last: The same of the latest.
        run: The latest.
        effort: What was spent on a variant in it: threads, processes, inferences.
        times: What it measured, the fastest first.
        here: Whether it is the machine that serves this page.
    """

    name: str
    facts: Mapping[str, str]
    runtime: str
    runs: int
    choices: int
    first: str
    last: str
    run: str
    effort: tuple[int, int, int]
    times: Sequence[Timed]
    here: bool


@dataclass(frozen=True)
class Configured:
    """A device of a configuration.

    Attributes:
        config: Which configuration.
        by: Where that is known from.
        device: Its name and parameters, in words; or why it cannot be told.
        fault: Whether it is the latter.
    """

    config: str
    by: str
    device: str
    fault: bool = False


def devices(view: View) -> Response:
    """Show devices met in records, and those of configurations."""
    with view.service.index() as index:
        found = [_met(index, row) for row in index.execute(_MET, (_MOST_DEVICES,))]
    return view.render(
        "devices.html",
        title="Devices",
        met=found,
        configured=[
            *_configs(view.service.settings.configs), *_triggers(view.service.store)
        ],
    )  # fmt: skip


def _met(index: OpenIndex, row: Sequence[Any]) -> Met:
    name, told, runtime, runs, choices, first, last = row
    facts: Mapping[str, str] = json.loads(told)
    latest = index.one(_LATEST, (name, told, runtime))
    assert latest, "a device that was met has a run"
    run, identifier, decision, *effort = latest
    reports = {
        step: (f"/artifacts/{bytes(digest).hex()}", finished)
        for step, digest, finished in index.execute(_REPORTS, (run,))
    }
    times: list[Timed] = []
    for variant, *p50 in index.execute(_TIMES, (decision, name, _MOST_TIMES)):
        report, measured = reports.get(f"benchmark-{variant}-{name}", (None, None))
        times.append(Timed(variant, Interval(*p50), report, measured))
    threads, processes, inferences = effort
    return Met(
        name, facts, runtime, runs, choices, first, last, identifier,
        (threads, processes, inferences), times, here=dict(facts) == fingerprint(),
    )  # fmt: skip


def _configs(paths: Sequence[Path]) -> Iterator[Configured]:
    for path in paths:
        by = f"settings: {path.name}"
        try:
            stat = path.stat()
            config = _loaded(path, (stat.st_mtime_ns, stat.st_size))
        except UserError as error:
            yield Configured(path.name, by, error.what, fault=True)
        except OSError as error:
            yield Configured(path.name, by, f"cannot be read: {error.strerror}", fault=True)
        else:
            yield from _of(config, by)


@lru_cache(maxsize=_KEPT)
def _loaded(path: Path, _state: tuple[int, int]) -> Config:
    """Read a configuration, once as long as its file stays the same."""
    return load(path)


def _triggers(store: Store) -> Iterator[Configured]:
    for trigger in list_triggers(store)[0]:
        by = f"trigger {trigger.name}"
        try:
            yield from _of(config_of(trigger), by)
        except UserError as error:
            yield Configured(trigger.name, by, error.what, fault=True)


def _of(config: Config, by: str) -> Iterator[Configured]:
    for name, device in zip(config.device_names, config.devices, strict=True):
        given = ", ".join(f"{key} {value}" for key, value in device.parameters.items())
        kind = "" if name == device.kind else f" ({device.kind})"
        yield Configured(config.name, by, f"{name}{kind}{f': {given}' if given else ''}")


ROUTES = (PageRoute("/devices", devices),)
