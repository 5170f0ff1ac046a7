"""Progress: how far a component is, told a line at a time while it runs.

A component appends lines of JSON to the file that its executor input names under ``progress``.
Engines read it while the step runs; one that names no file, as Kubeflow Pipelines, is told nothing.
A line is an object with some of the attributes of ``Progress``. Readers skip what they cannot use:
the file belongs to the step, which may be of another version, or hostile.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import stat
import time
from collections.abc import Generator
from contextvars import ContextVar
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, cast

LINE_BYTES_MAX = 2048
"""No line is longer; what is, is skipped."""
LOOK_BYTES_MAX = 1 << 16
"""As much is read at a time; of what grows faster, the end."""

_EVERY_S, _EVERY_MAX_S = 0.2, 5.0
_LINES = 500  # as many at least are written before they become rarer: a day stays below 4 MB
_COUNT_MAX = 10**15
_TEXT_CHARACTERS_MAX = 60

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """How far a component is: the content of one line.

    Attributes:
        seconds: Since the component began.
        phase: What it does, in a few words; None where that goes without saying.
        epoch: Epochs of a training that are done.
        images: Images that are dealt with.
        part: Parts of the phase that are done.
        total: How many epochs, images or parts there are; None where nobody knows.
        loss: Mean of the last epoch.
        metric: Name of what the validation split last said.
        value: And what it said.
    """

    seconds: float
    phase: str | None = None
    epoch: int | None = None
    images: int | None = None
    part: int | None = None
    total: int | None = None
    loss: float | None = None
    metric: str | None = None
    value: float | None = None

    @property
    def count(self) -> int | None:
        """How many of ``total`` are done."""
        return next((n for n in (self.epoch, self.images, self.part) if n is not None), None)

    @property
    def counted(self) -> tuple[str | None, str | None]:
        """What ``count`` counts: only lines that agree in it can be compared."""
        name = next((n for n in ("epoch", "images", "part") if getattr(self, n) is not None), None)
        return self.phase, name


# written by the component -----------------------------------------------------------------------


class _Writer:
    """Appends lines to one file, not too often."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._began = time.monotonic()
        self._last: tuple[float, str | None] = (-math.inf, None)

    def write(self, *, phase: str | None, **values: Any) -> None:
        seconds = time.monotonic() - self._began
        at, before = self._last
        every_s = min(max(_EVERY_S, seconds / _LINES), _EVERY_MAX_S)
        total = values.get("total")
        whole = total is not None and total in (
            values.get("epoch"), values.get("images"), values.get("part")
        )  # fmt: skip
        if seconds - at < every_s and phase == before and not whole:
            return
        self._last = seconds, phase
        content = asdict(Progress(round(seconds, 3), phase, **values))
        line = json.dumps({name: item for name, item in content.items() if item is not None})
        try:
            with self._path.open("ab", buffering=0) as file:
                file.write(line.encode() + b"\n")
        except OSError as error:  # a step does not fail because it could not say how far it is
            _LOG.warning("progress is not told any more: %s: %s", self._path, error.strerror)
            _WRITER.set(None)


_WRITER: ContextVar[_Writer | None] = ContextVar("progress", default=None)
"""The file of the call that is being executed: a component's signature knows no engine's files."""


@contextlib.contextmanager
def telling(path: Path | None) -> Generator[None]:
    """Let ``tell`` write to a file as long as this lasts; None: to nowhere."""
    token = _WRITER.set(_Writer(path) if path else None)
    try:
        yield
    finally:
        _WRITER.reset(token)


def tell(
    *,
    phase: str | None = None,
    epoch: int | None = None,
    images: int | None = None,
    part: int | None = None,
    total: int | None = None,
    loss: float | None = None,
    metric: str | None = None,
    value: float | None = None,
) -> None:
    """Say how far this component is; may be called as often as something is done.

    Args:
        phase: See ``Progress``, as for the others.
        epoch: Epochs that are done.
        images: Images that are dealt with.
        part: Parts of the phase that are done.
        total: How many there are.
        loss: Of the last epoch.
        metric: Name of the validation metric.
        value: Of the validation metric.
    """
    if writer := _WRITER.get():
        writer.write(
            phase=phase, epoch=epoch, images=images, part=part, total=total, loss=loss,
            metric=metric, value=value,
        )  # fmt: skip


# read by the engine -----------------------------------------------------------------------------


class ProgressReader:
    """Reads what a step tells, as it grows; nothing in the file can break who reads.

    Args:
        path: The file, which need not be there yet.

    Attributes:
        latest: The newest line that can be used, or None.
    """

    def __init__(self, path: Path) -> None:
        self.latest: Progress | None = None
        self._path = path
        self._offset = 0
        self._rest = b""
        self._since: list[Progress] = []  # the first two counts of what is counted now
        self._seen = 0.0

    def look(self) -> bool:
        """Read what is new; whether there was a line that can be used."""
        before = self.latest
        *lines, self._rest = (self._rest + self._new_bytes()).split(b"\n")
        self._rest = self._rest[: LINE_BYTES_MAX + 1]  # longer than a line may be: never one
        for line in lines:
            if len(line) <= LINE_BYTES_MAX and (progress := parsed(line)):
                self._take(progress)
        return self.latest is not before

    def _take(self, progress: Progress) -> None:
        before, count = self.latest, progress.count or 0
        if before is None or before.counted != progress.counted or (before.count or 0) > count:
            self._since = [progress]
        elif len(self._since) == 1 and count > (self._since[0].count or 0):
            self._since.append(progress)
        self.latest, self._seen = progress, time.monotonic()

    @property
    def per_second(self) -> float | None:
        """How many are done in a second, on average; None before that is known."""
        # The first epoch also pays for the start, and counts only until there is a second one.
        for since in reversed(self._since):
            done = ((self.latest and self.latest.count) or 0) - (since.count or 0)
            seconds = (self.latest.seconds if self.latest else 0.0) - since.seconds
            if done > 0 and seconds > 0:
                return done / seconds
        return None

    @property
    def left_s(self) -> float | None:
        """How long the rest takes if it goes on like that; None where nobody knows."""
        rate = self.per_second
        if not rate or not self.latest or self.latest.total is None:
            return None
        rest = self.latest.total - (self.latest.count or 0)
        return max(0.0, rest / rate - (time.monotonic() - self._seen))

    def _new_bytes(self) -> bytes:
        try:
            # Neither a link nor a pipe in its place may lead, or hold up, who reads it.
            handle = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:  # not there yet, or not to be read: nothing is told
            return b""
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                return b""
            if found.st_size < self._offset:  # written anew
                self._offset, self._rest = 0, b""
            if found.st_size - self._offset > LOOK_BYTES_MAX:
                self._offset, self._rest = found.st_size - LOOK_BYTES_MAX, b""
            data = os.pread(handle, LOOK_BYTES_MAX, self._offset)
        except OSError:
            return b""
        finally:
            os.close(handle)
        self._offset += len(data)
        return data


def parsed(line: bytes) -> Progress | None:
    """Return what a line says, without the parts that no reader can use; None if that is all."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    given = cast("dict[str, object]", found)
    values = {field.name: _usable(field.name, given.get(field.name)) for field in fields(Progress)}
    if values["seconds"] is None:
        return None
    progress = Progress(**cast("dict[str, Any]", values))
    if progress.total is not None and (progress.count or 0) > progress.total:
        return None
    return progress


def _usable(name: str, value: object) -> object:
    if name in ("phase", "metric"):
        is_text = isinstance(value, str) and 0 < len(value) <= _TEXT_CHARACTERS_MAX
        return value if is_text and str(value).isprintable() else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if name in ("epoch", "images", "part", "total"):
        return value if isinstance(value, int) and 0 <= value <= _COUNT_MAX else None
    if abs(value) > _COUNT_MAX or not math.isfinite(value) or (name == "seconds" and value < 0):
        return None
    return float(value)
