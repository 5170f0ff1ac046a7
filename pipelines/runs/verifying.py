"""Verifying: every byte of a store is read and held against its name, and nothing is changed.

The names of blobs, trees and graphs are digests of what they hold; a result has to agree with the
record of its execution, whose key is the digest of what it was made of. What a value refers to has
to be there. Whatever else lies in the store is foreign.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from components.contract.errors import UserError
from pipelines.disk.scratch import scratch_folder
from pipelines.runs.kind_checks import CHECKS, MAY_LACK, NOUNS, DamageError
from pipelines.runs.quarantine import move_to_quarantine
from pipelines.runs.records import parse_record
from pipelines.runs.removal.tombstones import parse_tombstone, tombstone_of
from pipelines.runs.statements import LaterVersionError
from pipelines.runs.step_records import read_ingredients
from pipelines.runs.workspace import workspace_root
from pipelines.stores.call_each import call_each
from pipelines.stores.layout import (
    RUNS,
    code_key,
    environment_key,
    graph_key,
    kind_of,
    release_key,
    result_key,
)
from pipelines.stores.store import KeyMissing, Store, is_key

_THREADS = 8
_STAYING = ("release log", "exclusion")

State = Literal["damaged", "missing", "foreign", "erased", "collected"]

ON_PURPOSE: tuple[State, ...] = ("erased", "collected")
"""States of what was removed on purpose: nothing is wrong with the store."""


@dataclass(frozen=True)
class ObjectFault:
    """One object that is not as it should be, or was removed on purpose.

    Attributes:
        place: Its key in the store, or the path of a file of a release folder.
        state: ``damaged``, ``missing`` (something refers to it), or ``foreign`` (slimline wrote no
            such thing); what was removed on purpose is ``erased``, or ``collected`` by ``gc``.
        what: What is wrong with it.
    """

    place: str
    state: State
    what: str


def verify_store(store: Store) -> tuple[int, list[ObjectFault]]:
    """Read everything in a store.

    Args:
        store: Opened without a cache before it.

    Returns:
        How many objects there are, and each that is damaged, missing or foreign.

    Raises:
        UserError: The store cannot be reached.
    """
    keys = list(store.list(""))
    found = _check(store, keys)
    found += _back_again(store, keys)
    found += [
        ObjectFault(name, "foreign", "lies under a name that slimline gives nothing")
        for name in store.foreign()
    ]
    return len(keys), sorted(found, key=lambda finding: finding.place)


def verify_run(store: Store, run: str) -> tuple[int, list[ObjectFault]]:
    """Read what a run left, and everything that it refers to.

    Args:
        store: Opened without a cache before it.
        run: Identifier of a run of which there is something in the store.

    Returns:
        As ``verify_store``.
    """
    keys = list(store.list(f"{RUNS}{run}/"))
    for key in keys:
        if kind_of(key) == "run":
            keys += _beside(store, key)
    found = _check(store, list(dict.fromkeys(keys)), follow=True)
    return len(keys), sorted(found, key=lambda finding: finding.place)


def _back_again(store: Store, keys: list[str]) -> Iterator[ObjectFault]:
    """Yield what was erased and is there again: a run that knew of no erasure wrote it."""
    there = set(keys)
    for key in keys:
        if kind_of(key) == "tombstone":
            try:
                stone = parse_tombstone(store.get(key))
            except (KeyMissing, ValueError):  # named where it is checked
                continue
            if stone.why == "erased" and stone.key in there:
                what = f"was {stone.in_words}, and is there again: erase it again"
                yield ObjectFault(stone.key, "foreign", what)


def quarantine_damaged(store: Store, faults: Iterable[ObjectFault]) -> None:
    """Move what is damaged out of the way; what is no regular file the next writer moves.

    Args:
        store: Where.
        faults: What ``verify_store`` or ``verify_run`` found; what is foreign stays, and so do
            entries of a log of releases, which nothing makes again, and exclusions, whose key says
            what they exclude.
    """
    for fault in faults:
        if fault.state == "damaged" and kind_of(fault.place) not in _STAYING:
            move_to_quarantine(store, fault.place)


def _beside(store: Store, key: str) -> Iterator[str]:
    """Yield the keys that belong to a run and that nothing refers to, where they are there."""
    try:
        record = parse_record(store.get(key))
    except (KeyMissing, ValueError):
        return
    keys = [graph_key(record.graph_digest), release_key(record.name, record.run)]
    for step in record.steps.values():
        with contextlib.suppress(UserError):  # a damaged record is named where it lies
            if made := read_ingredients(store, str(step.get("record", ""))):
                keys += [code_key(made["code"]), environment_key(made["environment"])]
    keys += [result_key(str(step["key"])) for step in record.steps.values() if step.get("key")]
    yield from (key for key in keys if is_key(key) and store.stat(key))


def _check(store: Store, keys: list[str], *, follow: bool = False) -> list[ObjectFault]:
    """Check values, and with ``follow`` also those that they refer to."""
    found: list[ObjectFault] = []
    sizes: dict[str, int | None] = {}
    with scratch_folder(workspace_root(store), f"verify-{id(found):x}") as scratch:
        waiting, seen = keys, set(keys)
        references = _References()
        while waiting:
            waiting.sort(key=lambda key: kind_of(key) == "tree")
            checked = call_each(
                lambda key: _check_one(store, key, scratch), ((key,) for key in waiting), _THREADS
            )
            for key, (size, finding, refers) in zip(waiting, checked, strict=True):
                sizes[key] = size
                found += [finding] if finding else []
                references.add(key, refers)
            waiting = [key for key in references.to_follow(store) if follow and key not in seen]
            seen |= set(waiting)
    named = {finding.place for finding in found}
    for other, (key, expected) in references.of_all(sizes):
        if other in named and sizes.get(other) is not None:
            continue
        if sizes.get(other) is None:
            found = [finding for finding in found if finding.place != other]
            found.append(_absent(store, other, key))
        elif expected is not None and sizes[other] != expected:
            what = f"has {sizes[other]} bytes, and {key} says {expected}"
            found.append(ObjectFault(key, "damaged", f"is wrong about {other}, which {what}"))
    return found


class _References:
    """What the values that were checked refer to.

    Of a tree whose files lie elsewhere, as a cluster's do, no blob need be here. Whether a tree is
    one of them is known once everything that refers to trees was added: trees come after that.
    """

    def __init__(self) -> None:
        self._firm: dict[str, tuple[str, int | None]] = {}
        self._loose: dict[str, tuple[str, int | None]] = {}

    def add(self, key: str, refers: Mapping[str, int | None]) -> None:
        """Take what a value refers to, with the sizes that it says these have."""
        loose = key in self._loose and key not in self._firm
        for other, expected in refers.items():
            to = self._loose if loose or expected == MAY_LACK else self._firm
            to.setdefault(other, (key, None if expected == MAY_LACK else expected))

    def to_follow(self, store: Store) -> Iterator[str]:
        """Yield what is to be checked next: also lists of files of what lies elsewhere."""
        yield from filter(is_key, self._firm)
        for key in self._loose:
            if key not in self._firm and kind_of(key) == "tree" and store.stat(key):
                yield key

    def of_all(
        self, sizes: Mapping[str, int | None]
    ) -> Iterator[tuple[str, tuple[str, int | None]]]:
        """Yield every reference that must hold: of what may lack those to what is here."""
        yield from self._firm.items()
        for other, by in self._loose.items():
            if other not in self._firm and sizes.get(other) is not None:
                yield other, by


def _absent(store: Store, key: str, by: str) -> ObjectFault:
    """Say of a value that is not there what refers to it."""
    if is_key(key) and key in set(store.list(key)):
        return ObjectFault(key, "damaged", f"is no regular file; {by} refers to it")
    if stone := tombstone_of(store, key):
        return ObjectFault(key, stone.why, f"was {stone.in_words}; {by} refers to it")
    return ObjectFault(key, "missing", f"is not there; {by} refers to it")


_Checked = tuple[int | None, ObjectFault | None, Mapping[str, int | None]]
"""Size of a value, what is wrong with it, and the keys that it refers to with their sizes."""


def _check_one(store: Store, key: str, scratch: Path) -> _Checked:
    kind = kind_of(key) or ""
    if kind == "quarantine":
        return 0, None, {}
    stat = None
    try:
        stat = store.stat(key)
        if stat is None:
            return None, ObjectFault(key, "damaged", "is no regular file"), {}
        if kind:
            return stat.size_bytes, None, _check_value(store, key, kind, scratch)
        fault = ObjectFault(key, "foreign", "is nothing that slimline writes")
    except KeyMissing:  # removed since it was listed
        return None, None, {}
    except LaterVersionError as error:  # it is no damage, and must not be moved away
        fault = ObjectFault(key, "foreign", f"cannot be checked: {error}")
    except DamageError as error:
        fault = ObjectFault(key, "damaged", str(error))
    except UserError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        fault = ObjectFault(key, "damaged", f"cannot be read: {error.what}")
    return stat.size_bytes if stat else 0, fault, {}


def _check_value(store: Store, key: str, kind: str, scratch: Path) -> Mapping[str, int | None]:
    """Return what a value refers to.

    Raises:
        DamageError: It is not what its key says.
        LaterVersionError: A later version of slimline wrote it.
    """
    if kind == "blob":
        _check_blob(store, key, scratch)
    check = CHECKS.get(kind)
    if check is None:
        return {}
    try:
        return dict(check(store, key, store.get(key)))
    except (LaterVersionError, KeyMissing):
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise DamageError(f"is no {NOUNS[kind]}") from None


def _check_blob(store: Store, key: str, scratch: Path) -> None:
    path = scratch / key.rpartition("/")[2]
    try:
        found = store.fetch(key, path, link=True)
    finally:
        path.unlink(missing_ok=True)
    if found != path.name:
        raise DamageError(f"holds bytes of the sha256 {found}")
