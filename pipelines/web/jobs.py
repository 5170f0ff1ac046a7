"""Commands that a page starts and that take longer than anybody waits for a page.

Each is a process of ``slimline`` and a session of its own: it goes on when the service ends, and a
service that comes after it finds it. Its answer, a JSON document, and what it said beside stand in
files of this machine until the same is started again. What it did stands in the store.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from components.contract.errors import UserError
from pipelines.disk.cache_folder import cache_folder
from pipelines.disk.files import disk_faults
from pipelines.runs.actor import VARIABLE

_SAID_BYTES = 4096
_ORDER, _LOCK, _ANSWER, _SAID = "order.json", "lock", "answer", "said"


@dataclass(frozen=True)
class JobOrder:
    """A command that is to be started.

    Attributes:
        kind: What it does, in a word; part of what tells it from others.
        name: What it does that to.
        words: What follows ``slimline`` on the command line: the command and its options.
        names: What the command is about; no option, whatever it begins with.
        actor: Who wants it.
        reason: Why; empty where they gave no reason.
        at: When, ISO 8601.
    """

    kind: str
    name: str
    words: tuple[str, ...]
    names: tuple[str, ...]
    actor: str
    reason: str
    at: str


_PARSED = TypeAdapter(JobOrder)


@dataclass(frozen=True)
class StartedJob:
    """A command that was started.

    Attributes:
        order: What was asked for.
        going: Whether its process lives.
        answer: The document that it printed; None while it goes on, or where it printed none.
        said: The end of what it said beside that: a fault with what to do about it.
    """

    order: JobOrder
    going: bool
    answer: Mapping[str, Any] | None
    said: str

    @property
    def fault(self) -> tuple[str, str] | None:
        """What is wrong and what to do where it came to nothing; None while it goes on, or came."""
        if self.going:
            return None
        if self.answer is not None:
            return error_in(self.answer)
        return self.said or "it ended without a word: perhaps it was killed", "try again"


class Jobs:
    """The commands that pages of a store have started on this machine.

    Args:
        store: Address of the store.
        on_end: Called in a thread when a command has ended.
    """

    def __init__(self, store: str, on_end: Callable[[], None]) -> None:
        self._store = store
        self._on_end = on_end
        self._waited_for: set[Path] = set()
        self._lock = threading.Lock()

    def start(self, order: JobOrder) -> None:
        """Start a command.

        Raises:
            UserError: The same goes on, or no process can be started.
        """
        folder = self._folder(order.kind, order.name)
        with disk_faults(folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _hold(lock, order)
            with disk_faults(folder):
                (folder / _ORDER).write_text(json.dumps(asdict(order)))
                process = self._process(order, folder, lock)
        finally:
            os.close(lock)
        threading.Thread(target=process.wait, name="job", daemon=True).start()
        self._wait_for(folder)

    def find(self, kind: str, name: str) -> StartedJob | None:
        """Return how it stands with what was started last under this kind and name."""
        return self._read(self._folder(kind, name))

    def all(self) -> Iterator[StartedJob]:
        """Yield how it stands with everything that was started."""
        for path in sorted(self._root().glob(f"*/{_ORDER}")):
            if found := self._read(path.parent):
                yield found

    def _read(self, folder: Path) -> StartedJob | None:
        try:
            going = _is_held(folder / _LOCK)  # asked first: it may end meanwhile
            order = _PARSED.validate_json((folder / _ORDER).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        if going:
            self._wait_for(folder)
            return StartedJob(order, going, None, "")
        return StartedJob(order, going, _document(folder / _ANSWER), _end_of(folder / _SAID))

    def _process(self, order: JobOrder, folder: Path, lock: int) -> subprocess.Popen[bytes]:
        options = [*order.words, "--store", self._store, "--json"]
        names = ["--", *order.names] if order.names else []
        words = [sys.executable, "-m", "pipelines.cli", *options, *names]
        with (folder / _ANSWER).open("wb") as answer, (folder / _SAID).open("wb") as said:
            try:
                return subprocess.Popen(
                    words, stdin=subprocess.DEVNULL, stdout=answer, stderr=said,
                    env={**os.environ, VARIABLE: order.actor}, start_new_session=True,
                    pass_fds=(lock,),  # held to the end of the process, whoever started it
                )  # fmt: skip
            except OSError as error:
                raise UserError(
                    f"no process can be started for {order.kind} {order.name}: {error.strerror}",
                    "look what else runs on this machine, and how much memory it has left",
                ) from error

    def _wait_for(self, folder: Path) -> None:
        """Have it told when a command ends, be it of this service or of one before it."""
        with self._lock:
            if folder in self._waited_for:
                return
            try:
                lock = (folder / _LOCK).open()
            except FileNotFoundError:  # its folder was cleared away: nothing is left to tell of
                return
            self._waited_for.add(folder)

        def wait() -> None:
            with lock:
                fcntl.flock(lock, fcntl.LOCK_SH)
            with self._lock:
                self._waited_for.discard(folder)
            self._on_end()

        threading.Thread(target=wait, name="job's end", daemon=True).start()

    def _folder(self, kind: str, name: str) -> Path:
        named = hashlib.sha256(f"{kind} {name}".encode()).hexdigest()[:32]
        return self._root() / named

    def _root(self) -> Path:
        store = hashlib.sha256(self._store.encode()).hexdigest()[:16]
        return cache_folder() / "jobs" / store


def error_in(answer: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return what is wrong and what to do, as an answer in JSON says it; None where all is well."""
    error: object = answer.get("error")
    if not isinstance(error, Mapping):
        return None
    told = cast("Mapping[str, object]", error)
    return str(told.get("what")), str(told.get("fix"))


def _hold(lock: int, order: JobOrder) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(
            f"{order.kind} {order.name} goes on already", "wait for its end: the page says it"
        ) from None


def _is_held(path: Path) -> bool:
    with path.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _document(path: Path) -> Mapping[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


def _end_of(path: Path) -> str:
    try:
        with path.open("rb") as said:
            said.seek(max(0, path.stat().st_size - _SAID_BYTES))
            return said.read().decode(errors="replace").strip()
    except FileNotFoundError:
        return ""
