"""Calls that fail once: the fault is said and recorded, and the next run ends well."""

from __future__ import annotations

import errno
import json
import random
import shutil
import time
from pathlib import Path

from tests.faults.calls import ERRNOS, Places
from tests.faults.prepared import CHEAP, Prepared, Said, command
from tests.faults.row import Row

_NOTES = "places.json"
_PROMISED = "said with its fix, recorded, exit 2; or done in spite of it; the next run is done"


def failing_calls(prepared: Prepared, chance: random.Random, most: int | None) -> Row:
    """Let every call at every place of a run fail once with every error that it may meet.

    Args:
        prepared: Gives the run.
        chance: Chooses a sample.
        most: Size of the sample; None for all of them.
    """
    row, began = Row("failing calls", _PROMISED), time.monotonic()
    places = places_of(prepared)
    tries = [(place, number) for place in places for number in ERRNOS[place.split()[1]]]
    if most is not None and most < len(tries):
        tries = chance.sample(tries, most)
    for place, number in tries:
        _try(prepared, row, place, number)
    row.seconds = time.monotonic() - began
    return row


def places_of(prepared: Prepared) -> list[str]:
    """Return all places that a run passes which executes its cheap steps."""
    folder = prepared.copy(*CHEAP)
    places = Places()
    said = command(
        folder,
        prepared.arguments,
        prepare=places.watch,
        finish=lambda: _note(folder / _NOTES, places),
    )
    assert not (fault := prepared.fault_of_end(folder, said)), fault
    found = json.loads((folder / _NOTES).read_bytes())
    shutil.rmtree(folder)
    return sorted(found["passed"])


def _note(path: Path, places: Places) -> None:
    path.write_text(json.dumps({"passed": list(places.passed), "failed": places.failed}))


def _try(prepared: Prepared, row: Row, place: str, number: int) -> None:
    folder = prepared.copy(*CHEAP)
    places = Places(place, number)
    said = command(
        folder,
        prepared.arguments,
        prepare=places.watch,
        finish=lambda: _note(folder / _NOTES, places),
    )
    again = command(folder, prepared.arguments)
    failed = (folder / _NOTES).exists() and json.loads((folder / _NOTES).read_bytes())["failed"]
    fault = _fault(prepared, folder, said, again)
    if fault:
        row.broke(f"{place} {errno.errorcode[number]}: {fault}")
    elif not failed:
        row.kept("not passed again")
    else:
        row.kept("said" if said.code else "done in spite of it")
        shutil.rmtree(folder)


def _fault(prepared: Prepared, folder: Path, said: Said, again: Said) -> str:
    """Return what is not as promised after a run that met a fault, and the next one."""
    if said.fault:
        return said.fault
    if said.code == 0 and (fault := prepared.fault_of_end(folder, said)):
        return f"ended as if well, but {fault}"
    if said.code not in (0, 2):
        return f"exit code {said.code}: {said.error.strip()[-300:]!r}"
    if said.code == 2 and (fault := _unrecorded(folder)):
        return fault
    if fault := prepared.fault_of_end(folder, again):
        return f"the next run: {fault}"
    return ""


def _unrecorded(folder: Path) -> str:
    """Return why the record of a run that met a fault says nothing of it; empty if it does."""
    for started in (folder / "store" / "runs").glob("*/started.json"):
        ended = started.with_name("run.json")
        if not ended.exists():
            return f"{started.parent.name} has begun, and nothing records how it ended"
    return ""
