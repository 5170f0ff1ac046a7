"""``slimline gc``: what nothing in a store rests on any more is removed, in two phases."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Any

from components.contract.errors import UserError
from pipelines.cli.arguments import add_command, open_existing, store_arguments
from pipelines.cli.output import OK, print_json, print_text

if TYPE_CHECKING:
    from pipelines.cli.documents import Collected
    from pipelines.retention.collecting import Collecting

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DURATION = re.compile(r"(\d{1,6})([smhdw])")

_CHANGES = """\
changes: the first call only writes down what it condemns. Once --wait is over, another one removes
images, weights, files and pages of runs, and their results in the cache, for good; a run that
needs them makes them again. Records, logs, releases and what they rest on stay."""


def add(commands: Any) -> None:
    """Add the parser of the command."""
    summary = "remove what no release and no young run rests on, in two phases a day apart"
    parser = add_command(commands, "gc", summary, run, _CHANGES)
    parser.add_argument("--dry-run", action="store_true", help="say what would go, change nothing")
    parser.add_argument(
        "--keep", default="30d", metavar="TIME",
        help="younger runs keep all that they made (default: 30d; s, m, h, d or w)",
    )  # fmt: skip
    parser.add_argument(
        "--wait", default="24h", metavar="TIME",
        help="between the phases; not below 15m where others write (default: 24h)",
    )  # fmt: skip
    store_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Collect, say what became of it, and return the exit code."""
    from dataclasses import asdict

    from pipelines.retention.collecting import gc
    from pipelines.runs.actor import actor

    keep_s, wait_s = _seconds("--keep", arguments.keep), _seconds("--wait", arguments.wait)
    store = open_existing(arguments)
    done = gc(store, actor=actor(), keep_s=keep_s, wait_s=wait_s, dry_run=arguments.dry_run)
    document = _document(store.uri, done, wait_s, dry_run=arguments.dry_run)
    if arguments.json:
        print_json(asdict(document))
    else:
        print_text("\n".join(_lines(document, arguments.wait)))
    return OK


def _seconds(option: str, text: str) -> float:
    """Return a length of time.

    Raises:
        UserError: The text is none.
    """
    found = _DURATION.fullmatch(text)
    if not found:
        raise UserError(
            f"{option} {text!r} is no length of time; expected a whole number and s, m, h, d or w",
            f"write {option} 30d",
        )
    return float(int(found[1]) * _UNITS[found[2]])


def _document(uri: str, done: Collecting, wait_s: float, *, dry_run: bool) -> Collected:
    from datetime import datetime, timedelta

    from pipelines.cli.documents import Collected, WaitingCollection

    waiting = [
        WaitingCollection(
            due.collection.id,
            len(due.collection.condemned),
            due.collection.size_bytes,
            (datetime.fromisoformat(due.collection.at) + timedelta(seconds=wait_s)).isoformat(),
            due.runs,
        )
        for due in done.waiting
    ]
    condemned = done.condemned
    counts = [
        (len(one.condemned), one.size_bytes) if dry_run else (one.removed, one.removed_bytes)
        for one in done.finished
    ]
    return Collected(
        place=uri,
        dry_run=dry_run,
        removed=sum(values for values, _ in counts),
        removed_bytes=sum(size_bytes for _, size_bytes in counts),
        spared=sum(one.spared for one in done.finished),
        waiting=waiting,
        condemned=len(condemned.condemned) if condemned else 0,
        condemned_bytes=condemned.size_bytes if condemned else 0,
        collections=[one.id for one in done.finished],
        collection=(condemned.id or None) if condemned else None,
    )


def _lines(found: Collected, wait: str) -> list[str]:
    """Return the document in words."""
    from components.statistics.quantities import short_bytes

    would = "would be " if found.dry_run else ""
    lines: list[str] = []
    if found.collections:
        spared = f"; {found.spared} of the condemned stay, as they are used again"
        lines.append(
            f"{found.place}: {found.removed} objects {would}removed, "
            f"{short_bytes(found.removed_bytes)}{spared if found.spared else ''}"
        )
    for one in found.waiting:
        runs = f", and until {', '.join(one.runs)} has ended" if one.runs else ""
        lines.append(
            f"{one.objects} condemned objects, {short_bytes(one.size_bytes)}, wait until "
            f"{one.until}{runs}; slimline gc then removes what is still not used"
        )
    if found.condemned:
        lines.append(
            f"{found.condemned} objects {would}condemned, {short_bytes(found.condemned_bytes)}: "
            f"slimline gc after {wait} removes those that no run has used by then"
        )
    return lines or [f"{found.place}: nothing to remove"]
