"""Workers: processes that share the images of a source between them.

Threads of one Python process hold each other up: of reading, decoding and resizing an image, half
the time is spent on objects that only one thread may touch. Forked processes share what was read
before them, and die with the process that forked them.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any, NoReturn, TypeVar

from components.contract.errors import UserError

_GROUP = 32
"""Items that a worker does before it hands them over: each by itself takes as long to hand over as
to decode."""
_FEW = 64
"""Items for which no worker is started: that takes as long as doing them."""
_PR_SET_PDEATHSIG = 1

Given = TypeVar("Given")
Made = TypeVar("Made")


@dataclass(frozen=True)
class _Worker:
    """One process and the end of its pipe from which results are read."""

    pid: int
    results: IO[bytes]


@dataclass(frozen=True)
class _Raised:
    """What a worker sends in place of results when it cannot go on."""

    error: BaseException


def in_order(
    work: Callable[[int, Given], Made],
    items: Callable[[], Iterable[Given]],
    workers: int,
    name_of: Callable[[Given], str],
) -> Iterator[Made]:
    """Apply ``work`` in several processes and yield the results in the order of the items.

    Every worker goes through the items by itself and does each ``workers``-th group of them. What
    it hands over waits in a pipe, so that it runs ahead by a few groups at most.

    Args:
        work: Of the place of an item in the order, and the item; its result can be pickled.
        items: Gives what to work on, the same in every process.
        workers: How many processes; with 1, and for few items, all is done in this one.
        name_of: How an error calls an item.

    Raises:
        UserError: Something ended a worker.
    """
    few = sum(1 for _ in islice(items(), _FEW + 1)) <= _FEW
    if workers == 1 or few:
        for place, item in enumerate(items()):
            yield work(place, item)
        return
    started: list[_Worker] = []
    try:
        started.extend(_started(number, workers, work, items) for number in range(workers))
        group = 0
        while made := _next(started[group % workers], group, items, name_of):
            yield from made
            group += 1
    finally:
        for worker in started:
            worker.results.close()
            os.kill(worker.pid, signal.SIGKILL)
            os.waitpid(worker.pid, 0)


def _started(
    number: int,
    workers: int,
    work: Callable[[int, Given], Made],
    items: Callable[[], Iterable[Given]],
) -> _Worker:
    parent, (reading, writing) = os.getpid(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _run(parent, writing, _groups(number, workers, work, items))
    os.close(writing)
    return _Worker(pid, os.fdopen(reading, "rb"))


def _groups(
    number: int,
    workers: int,
    work: Callable[[int, Given], Made],
    items: Callable[[], Iterable[Given]],
) -> Iterator[list[Made]]:
    """Yield the results of the groups that are this worker's, and an empty one as the last."""
    places = enumerate(items())
    for group in range(1 << 62):
        some = list(islice(places, _GROUP))
        if group % workers == number:
            yield [work(place, item) for place, item in some]
        if not some:
            return


def _run(parent: int, writing: int, groups: Iterator[list[Made]]) -> NoReturn:
    """Be a worker: hand over all results, and leave without touching what the parent has open."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to answer
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before that
            os._exit(code)
        with os.fdopen(writing, "wb") as results:
            try:
                for made in groups:
                    pickle.dump(made, results, pickle.HIGHEST_PROTOCOL)
                    results.flush()
            except Exception as error:  # noqa: BLE001 whatever it is, it is raised in the parent
                results.write(_pickled(error))
        code = 0
    except BrokenPipeError:
        code = 0  # the parent wants no more
    finally:
        os._exit(code)


def _pickled(error: Exception) -> bytes:
    """Return an error as bytes; of one that cannot be, its text."""
    try:
        content = pickle.dumps(_Raised(error))
        pickle.loads(content)  # noqa: S301 our own; some errors are written and cannot be read
    except Exception:  # noqa: BLE001 pickling calls the error's own code
        text = "".join(traceback.format_exception(error))
        return pickle.dumps(_Raised(RuntimeError(text)))
    return content


def _next(
    worker: _Worker,
    group: int,
    items: Callable[[], Iterable[Given]],
    name_of: Callable[[Given], str],
) -> list[Any]:
    """Return the next results of a worker."""
    try:
        made: list[Any] | _Raised = pickle.load(worker.results)  # noqa: S301 of our own process
    except (EOFError, pickle.UnpicklingError):
        raise _ended(group, items, name_of) from None
    if isinstance(made, _Raised):
        raise made.error
    return made


def _ended(
    group: int, items: Callable[[], Iterable[Given]], name_of: Callable[[Given], str]
) -> UserError:
    some = list(islice(items(), group * _GROUP, (group + 1) * _GROUP))
    return UserError(
        f"ingest: a process that decodes images was ended while it read one of {len(some)}, "
        f"{name_of(some[0])} to {name_of(some[-1])}: by another process, for want of memory, or by "
        "an image that the decoder cannot survive",
        "run again, with more free memory; if it ends at the same images again, remove them one "
        "after the other",
    )
