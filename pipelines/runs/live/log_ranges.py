"""What a step prints by byte offsets: a log may be larger than what should be in memory of it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.runs.live.logs import live_logs, stored_logs
from pipelines.runs.records import RunRecord
from pipelines.stores.store import KeyMissing, Store, is_key

PART_BYTES = 1 << 20
"""So much is read of a log at a time."""

_LINE_BYTES_MAX = 4096
"""A line that is longer is searched, and shown, in pieces of this size."""


@dataclass(frozen=True)
class StepLog:
    """The log of one attempt of a step.

    Attributes:
        store: Where it is kept, if it is.
        place: Its key there, or its file on this machine while its run goes on.
        attempt: From 1; of a cached step that of the execution whose result it took.
        run: The run that executed the step.
        size: In bytes, when it was opened.
    """

    store: Store
    place: str | Path
    attempt: int
    run: str
    size: int

    @property
    def grows(self) -> bool:
        """Whether its run goes on, so that more may come."""
        return isinstance(self.place, Path)

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes from ``start`` up to ``end``; fewer where there are no more.

        Of a log whose run has ended since it was opened, which is elsewhere now, none.
        """
        if start >= end:
            return b""
        if isinstance(self.place, str):
            try:
                return self.store.get(self.place, start, end)
            except KeyMissing:
                return b""
        try:
            # What a step has put in the place of its log must not lead elsewhere, or hold up.
            handle = os.open(self.place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return b""
        try:
            return os.pread(handle, end - start, start)
        except OSError:
            return b""
        finally:
            os.close(handle)

    def parts(self, start: int = 0) -> Generator[bytes]:
        """Yield all bytes that were there when it was opened, part by part."""
        while start < self.size:
            part = self.read(start, min(start + PART_BYTES, self.size))
            if not part:
                return
            yield part
            start += len(part)


@dataclass(frozen=True)
class Hit:
    """A line that holds what was searched for.

    Attributes:
        offset: Where the line begins, in bytes.
        line: The line, cut where it is very long.
    """

    offset: int
    line: str


def open_logs(store: Store, record: RunRecord, step: str) -> list[StepLog]:
    """Return the logs of a step, one for each attempt that has one, the first attempt first.

    Args:
        store: Where the run is.
        record: Of the run, which may go on.
        step: Name of the step.
    """
    live = {
        attempt: StepLog(store, path, attempt, record.run, size)
        for attempt, path in live_logs(record, step).items()
        if (size := _size(path)) is not None
    }
    keys = [one for one in stored_logs(record, step).items() if is_key(one[1][0])]
    stats = store.stat_many(key for _, (key, _) in keys)
    kept = {
        attempt: StepLog(store, key, attempt, run, found.size_bytes)
        for (attempt, (key, run)), found in zip(keys, stats, strict=True)
        if found
    }
    logs = {**live, **kept}
    return [logs[attempt] for attempt in sorted(logs)]


def _size(path: Path) -> int | None:
    """Return the size of a file; None of what is none."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def search(
    log: StepLog, wanted: str, *, start: int = 0, most: int = 100, most_bytes: int = 64 << 20
) -> tuple[list[Hit], int | None]:
    """Find the lines of a log that hold a text, whatever the case of its letters.

    Args:
        log: Which log.
        wanted: The text.
        start: Where to begin, in bytes.
        most: So many lines at most.
        most_bytes: So much is looked through at most.

    Returns:
        The lines, and where to go on; None at the end of the log.
    """
    pattern = re.compile(re.escape(wanted.encode()), re.IGNORECASE)
    hits: list[Hit] = []
    offset = start
    for offset, line in _lines(log, start):
        if len(hits) == most or offset - start >= most_bytes:
            return hits, offset
        if pattern.search(line):
            hits.append(Hit(offset, line.decode(errors="replace").rstrip("\r\n")))
    return hits, None


def _lines(log: StepLog, start: int) -> Iterator[tuple[int, bytes]]:
    """Yield lines with where they begin; one that is too long in pieces."""
    rest, offset = b"", start
    for part in log.parts(start):
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            yield from _pieces(offset, line)
            offset += len(line) + 1
        while len(rest) > _LINE_BYTES_MAX:
            yield offset, rest[:_LINE_BYTES_MAX]
            offset, rest = offset + _LINE_BYTES_MAX, rest[_LINE_BYTES_MAX:]
    if rest:
        yield from _pieces(offset, rest)


def _pieces(offset: int, line: bytes) -> Iterator[tuple[int, bytes]]:
    for start in range(0, max(1, len(line)), _LINE_BYTES_MAX):
        yield offset + start, line[start : start + _LINE_BYTES_MAX]
