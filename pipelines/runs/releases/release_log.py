"""The log of releases: who made which release the champion, append-only and chained by hashes.

The log alone says which release is the champion. An entry is one exclusive creation of the next
number; it holds the sha256 of the entry before it. Who edits, removes or inserts an entry breaks
the chain; who rewrites all of it from some entry on is found out by signatures alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256

from pydantic import ValidationError

from pipelines.runs.journal import announce
from pipelines.runs.releases.release_log_entries import LogEntry, ReleaseLog, parse_entry
from pipelines.stores.call_each import call_each
from pipelines.stores.layout import (
    champion_key,
    log_sequence,
    release_log_key,
    release_log_prefix,
    signature_sequence,
    signatures_prefix,
)
from pipelines.stores.store import KeyMissing, Store, is_key

_THREADS = 8


class _BadEntryError(Exception):
    """An entry is not what was written there.

    Args:
        bad: Number of the first entry that is not to be trusted.
        what: A sentence.
    """

    def __init__(self, bad: int, what: str) -> None:
        super().__init__(bad, what)
        self.bad, self.what = bad, what


def is_release_name(name: str) -> bool:
    """Whether releases can be of this name, which a person may have given."""
    return "/" not in name and is_key(champion_key(name))


def read_log(store: Store, name: str) -> ReleaseLog:
    """Read the log of the releases of a name.

    The end of the log, to which nothing is chained yet, is held against ``champion.json``, which
    holds the sha256 of the last entry, and against the signatures that there are.

    Args:
        store: Where.
        name: Of the releases; any text.

    Raises:
        UserError: The store cannot be read.
    """
    if not is_release_name(name):
        return ReleaseLog(name)
    numbers = [number for key in store.list(release_log_prefix(name))
               if (number := log_sequence(key))]  # fmt: skip
    values = call_each(
        lambda number: _get(store, release_log_key(name, number)),
        ((number,) for number in numbers),
        _THREADS,
    )
    found = {number: data for number, data in zip(numbers, values, strict=True) if data is not None}
    log = _chained(name, found)
    return log if log.faults else _against_signatures(store, _against_cache(store, log))


def append(store: Store, log: ReleaseLog, entry: LogEntry) -> ReleaseLog | None:
    """Write the next entry of a log.

    Args:
        store: Where.
        log: The log that the entry was decided on; without faults.
        entry: What to write; number and hash of the entry before are filled in here.

    Returns:
        The longer log; None where somebody else was faster: read the log again and decide anew.
    """
    assert not log.faults, "nothing is appended to a log that cannot be trusted"
    seq = len(log.entries) + 1
    written = replace(entry, seq=seq, previous=log.digests[-1] if log.digests else None)
    data = written.to_bytes()
    # Announced before it is there: who reads the journal asks again for what is not there yet.
    announce(store, "log", f"{log.name}.{seq}")
    if not store.put_if_absent(release_log_key(log.name, seq), data):
        return None
    return replace(
        log,
        entries=(*log.entries, written),
        digests=(*log.digests, sha256(data).hexdigest()),
    )


def _get(store: Store, key: str) -> bytes | None:
    try:
        return store.get(key)
    except KeyMissing:  # no regular file, or removed since it was listed
        return None


def _chained(name: str, found: Mapping[int, bytes]) -> ReleaseLog:
    """Return the log up to the first entry that does not continue the one before it."""
    entries: list[LogEntry] = []
    digests: list[str] = []
    for number in range(1, max(found, default=0) + 1):
        try:
            entry = _read(name, number, found.get(number))
            if entry.previous != (digests[-1] if digests else None):
                raise _broken_chain(number)
        except _BadEntryError as error:
            good = error.bad - 1
            return ReleaseLog(
                name, tuple(entries[:good]), tuple(digests[:good]), (error.what,), error.bad
            )
        entries.append(entry)
        digests.append(sha256(found[number]).hexdigest())
    return ReleaseLog(name, tuple(entries), tuple(digests))


def _broken_chain(number: int) -> _BadEntryError:
    if number == 1:
        return _BadEntryError(1, "entry 1 continues another one: what was before it was removed")
    return _BadEntryError(
        number - 1,
        f"entry {number} does not continue entry {number - 1}: entry {number - 1} was edited, or "
        f"entry {number} was inserted",
    )


def _read(name: str, number: int, data: bytes | None) -> LogEntry:
    """Return an entry that says of itself what its key says.

    Raises:
        _BadEntryError: It does not.
    """
    if data is None:
        raise _BadEntryError(number, f"entry {number} is missing: it was removed")
    try:
        entry = parse_entry(data)
    except ValidationError:
        raise _BadEntryError(number, f"entry {number} is {_what(data)}") from None
    if entry.seq < number:
        # Nothing vouches for the one before it, either.
        raise _BadEntryError(
            max(1, entry.seq),
            f"entry {number} says that it is entry {entry.seq}: one was inserted before it",
        )
    if entry.seq > number:
        raise _BadEntryError(
            number, f"entry {number} says that it is entry {entry.seq}: one was removed before it"
        )
    if entry.name != name:
        raise _BadEntryError(number, f"entry {number} is of the releases of {entry.name!r}")
    return entry


def _what(data: bytes) -> str:
    """Say what an entry is that cannot be read."""
    try:
        schema = json.loads(data)["schema"]
    except (LookupError, TypeError):
        schema = None
    except (ValueError, RecursionError):
        return "not JSON: it was edited or damaged"
    if isinstance(schema, int) and schema > 1:
        return f"of version {schema}, which this version of slimline does not know"
    return "no entry of a log: it was edited or damaged"


def _against_cache(store: Store, log: ReleaseLog) -> ReleaseLog:
    """Hold a log against the entry that ``champion.json`` was made of."""
    try:
        seen = json.loads(store.get(champion_key(log.name)))
        seq, digest = seen["seq"], seen["entry"]
    except (KeyMissing, ValueError, LookupError, TypeError, RecursionError):
        return log  # nothing, or nothing that slimline wrote: it says nothing of the log
    if not isinstance(seq, int) or not isinstance(digest, str) or seq < 1:
        return log
    bad = min(seq, len(log.entries) + 1)
    if seq > len(log.entries):
        if _get(store, release_log_key(log.name, seq)) is not None:
            return read_log(store, log.name)  # somebody promoted between the two reads
        what = f"entry {seq}, which champion.json is made of, was removed"
    elif log.digests[seq - 1] != digest:
        what = f"entry {seq} is not the one that champion.json is made of: it was edited"
    else:
        return log
    return replace(
        log, entries=log.entries[: bad - 1], digests=log.digests[: bad - 1], faults=(what,), bad=bad
    )


def _against_signatures(store: Store, log: ReleaseLog) -> ReleaseLog:
    """Name an entry that was signed and is gone: whoever removes the last ones leaves no gap."""
    if log.faults:
        return log
    length = len(log.entries)
    for key in store.list(signatures_prefix(log.name)):
        seq = signature_sequence(key)
        if seq is None or seq <= length:
            continue
        if _get(store, release_log_key(log.name, seq)) is not None:
            return read_log(store, log.name)  # somebody promoted between the two reads
        what = f"entry {seq}, which is signed, was removed"
        return replace(log, faults=(what,), bad=length + 1)
    return log
