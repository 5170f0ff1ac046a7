"""``slimline devices``: which devices answer and can measure; ``devices clean`` leaves one."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.contract.errors import UserError, suggest
from pipelines.cli.arguments import STORE, add_command, store_arguments
from pipelines.cli.output import (
    OK,
    USER_FAULT,
    complain,
    print_json,
    print_remark,
    print_table,
    print_text,
)
from pipelines.disk.names import absolute

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipelines.cli.sheet import Sheet
    from pipelines.engines.devices import Looked, Named
    from pipelines.runs.kept.devices_seen import DeviceSeen

_CLEAN = "clean"
_WORDS = f"CONFIG | {_CLEAN} NAME"
_CHANGES = f"""\
slimline devices CONFIG       ask those of a configuration
slimline devices              ask this machine, those that runs of the store measured on, and
                              phones that hang here, with the line that adds each of these
slimline devices {_CLEAN} NAME   remove from a device all that slimline has put there: one folder"""
_NOW = {
    "temperature_c": "{:.0f} °C",
    "battery_percent": "battery {:.0f} %",
    "load_1min": "load {:.1f}",
}
"""Readings that the table shows."""


def add(commands: Any) -> None:
    """Add the parser of the command."""
    summary = "say which devices answer, and what is wrong with the others"
    parser = add_command(commands, "devices", summary, run, _CHANGES)
    parser.add_argument("words", nargs="*", metavar=_WORDS, help="as above")
    store_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Ask the devices, or clean one, and return the exit code."""
    words: list[str] = arguments.words
    if words[:1] == [_CLEAN]:
        if len(words) != 2:
            raise UserError(
                f"devices {_CLEAN} is about one device, and {len(words) - 1} are named",
                f"write slimline devices {_CLEAN} NAME; slimline devices lists them",
            )
        return _clean(arguments, words[1])
    if len(words) > 1:
        raise UserError(
            f"devices takes one configuration, and {len(words)} are given",
            f"leave out {words[1]}, or write slimline devices {_CLEAN} NAME",
        )
    return _list(arguments, Path(words[0]) if words else None)


def _list(arguments: argparse.Namespace, config: Path | None) -> int:
    from pipelines.cli.device_documents import listed_devices
    from pipelines.engines.devices import look_at
    from pipelines.engines.discovering import line_of

    named = _configured(config) if config else _known(arguments)
    new = [] if config else _new(named)
    looked = look_at([*named, *new])
    lines = {name: line_of(name, section) for name, section in new}
    if arguments.json:
        print_json(asdict(listed_devices(looked, lines)))
    else:
        print_table(_table(looked))
    for one in looked:
        if one.fault:
            complain(one.fault.what, one.fault.fix)
    if lines and not arguments.json:
        print_text("\nto measure on a phone that hangs here, add its line under devices:")
        print_text("\n".join(f"  {line}" for line in lines.values()))
    # A phone that somebody only charges here is no fault.
    return USER_FAULT if any(one.fault and one.name not in lines for one in looked) else OK


def _new(known: Sequence[Named]) -> list[Named]:
    """Return phones that hang here, and say why where nobody can tell."""
    from pipelines.engines.discovering import phones_not_among

    try:
        return phones_not_among(known)
    except UserError as error:
        print_remark(f"{error.what}; {error.fix}")
        return []


def _configured(config: Path) -> list[Named]:
    from pipelines.config.loading import load
    from pipelines.engines.devices import named_devices

    return named_devices(load(config))


def _known(arguments: argparse.Namespace) -> list[Named]:
    """Return this machine, and the devices that the store knows."""
    from pipelines.config.devices import HOST, device_of
    from pipelines.engines.devices import OPENERS, kind_of

    known = [(seen.name, device_of(seen.section)) for seen in _seen(arguments)]
    askable = [(name, section) for name, section in known if kind_of(section) in OPENERS]
    return [(HOST, device_of({"kind": HOST})), *askable]


def _seen(arguments: argparse.Namespace) -> list[DeviceSeen]:
    """Return the devices that the store knows; none where none is here and nobody names one."""
    from pipelines.cli.arguments import open_existing
    from pipelines.runs.kept.devices_seen import list_devices

    if arguments.store is None and not absolute(STORE).is_dir():
        return []
    return list_devices(open_existing(arguments))


def _table(looked: Sequence[Looked]) -> Sheet:
    from pipelines.cli.sheet import Column, Sheet
    from pipelines.engines.devices import kind_of

    sheet = Sheet(
        [
            Column("device"), Column("kind"), Column("state"), Column("what it is", wraps=True),
            Column("now", wraps=True),
        ]
    )  # fmt: skip
    for one in looked:
        sheet.add(
            one.name,
            kind_of(one.section),
            "cannot measure" if one.fault else "ready",
            _what(one.seen.fingerprint) if one.seen else "-",
            _now(one.seen.state) if one.seen else "-",
            style="red" if one.fault else "",
        )
    return sheet


def _what(fingerprint: Mapping[str, str]) -> str:
    named = [fingerprint[key] for key in ("model", "soc", "cpu") if key in fingerprint]
    cores = [f"{fingerprint['cores']} cores"] if "cores" in fingerprint else []
    rest = [fingerprint[key] for key in ("arch", "os") if key in fingerprint]
    return ", ".join([*named, *cores, *rest])


def _now(readings: Mapping[str, float | str]) -> str:
    shown = [
        form.format(readings[key])
        for key, form in _NOW.items()
        if isinstance(readings.get(key), float)
    ]
    return ", ".join(shown) or "-"


def _clean(arguments: argparse.Namespace, name: str) -> int:
    from pipelines.cli.device_documents import CleanedDevice
    from pipelines.config.devices import device_of
    from pipelines.engines.devices import clean_device, kind_of

    known = {seen.name: seen for seen in _seen(arguments)}
    if name not in known:
        raise UserError(
            f"no run of the store {arguments.store or STORE} has measured on a device {name!r}",
            suggest(name, known) if known else "name the store of such a run with --store PLACE",
        )
    section = device_of(known[name].section)
    removed = clean_device(name, section)
    if arguments.json:
        print_json(asdict(CleanedDevice(name, kind_of(section), removed)))
    else:
        print_text(f"{name}: {removed} is gone, and all that was in it")
    return OK
