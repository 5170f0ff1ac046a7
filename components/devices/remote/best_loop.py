"""Best loop: the fastest reference loop that a device has shown since it was started.

It is kept on the device, so that a variant that finds it hot is held against one that did not.
"""

from __future__ import annotations

import json
from typing import Any, cast

from components.devices.remote.shell import Shell

_READ = 'cat "$1/best.json" 2>/dev/null; :'
_WRITE = 'cat >"$1/best.json.part" && mv "$1/best.json.part" "$1/best.json"'


def best_loop_ms(
    shell: Shell, folder: str, boot_id: str, runs_on: str, found_ms: float | None
) -> float | None:
    """Return the fastest reference loop since the device was started; remember a faster one.

    Args:
        shell: The way to it; nobody else measures there at the moment.
        folder: That the device's files are in.
        boot_id: Changes when it is started again: then what was is forgotten.
        runs_on: Which interpreter and processors run the loop: only equal ones are compared.
        found_ms: What was found now; None where nothing was.

    Raises:
        LostError: The device went away.
    """
    loops = _loops(shell.run(_READ, folder).out, boot_id)
    best_ms = min((each for each in (loops.get(runs_on), found_ms) if each), default=None)
    if best_ms is not None and best_ms != loops.get(runs_on):
        content = {"boot_id": boot_id, "loops": {**loops, runs_on: best_ms}}
        shell.run(_WRITE, folder, data=json.dumps(content).encode())
    return best_ms


def _loops(text: bytes, boot_id: str) -> dict[str, float]:
    """Return what was found since a start; nothing where the file is absent or was damaged."""
    try:
        found: object = json.loads(text)
    except ValueError:
        return {}
    known = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    loops: object = known.get("loops")
    if known.get("boot_id") != boot_id or not isinstance(loops, dict):
        return {}
    return {
        runs_on: float(each)
        for runs_on, each in cast("dict[str, object]", loops).items()
        if isinstance(each, int | float)
    }
