"""What all pages share: the store, its index, the runs that go on, and what keeps them current."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from pipelines.lineage.index.database import index_path
from pipelines.lineage.index.opening import OpenIndex, open_index
from pipelines.runs.cache import Cache
from pipelines.runs.progress import RunProgress, read_progress
from pipelines.runs.workspace import workspace_root
from pipelines.stores.store import Store
from pipelines.web.proofs import Proofs
from pipelines.web.remembered import Remembered
from pipelines.web.settings import ServeSettings

_REFRESH_S = 2.0
"""How often the store is looked at."""


@dataclass(frozen=True)
class Standing:
    """What was known after the latest look at the store.

    Attributes:
        version: Another one with every piece of news.
        at: When that look ended.
        took_s: How long it took.
        live: How far the runs are that go on, by run.
        fault: What kept the store from being read, or None.
    """

    version: str = ""
    at: datetime | None = None
    took_s: float = 0.0
    live: Mapping[str, RunProgress] | None = None
    fault: UserError | None = None


class Service:
    """Serves one store; may be used by many threads.

    Args:
        store: Which store.
        settings: How.
        clock: Now, with its time zone.
    """

    def __init__(
        self,
        store: Store,
        settings: ServeSettings,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.store = store
        self.settings = settings
        self.clock = clock
        self.cache = Cache(store, workspace_root(store))
        self.proofs = Proofs(store.uri, clock)
        self.answers = Remembered(64)
        self.thumbnails = Remembered(2_000)
        self.exclusions = Remembered(1)
        self.began = secrets.token_hex(8)
        self.standing = Standing()
        self._path = index_path(store.uri)
        self._own = threading.local()
        self._changed = 0
        self._refreshing = threading.Lock()
        self._over = threading.Event()
        self._soon = threading.Event()
        self._thread = threading.Thread(target=self._work, name="refresh", daemon=True)

    def start(self) -> None:
        """Bring the index up to date from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Look at the store no more."""
        self._over.set()
        self._soon.set()
        if self._thread.ident:
            self._thread.join()

    @property
    def version(self) -> str:
        """Another one whenever a page may look different."""
        return f"{self.began}.{self._changed}.{self.standing.version}"

    @property
    def live(self) -> Mapping[str, RunProgress]:
        """How far the runs are that go on, by run."""
        return self.standing.live or {}

    def changed(self) -> None:
        """Say that something was changed through a page: pages are made anew, the store is read."""
        self._changed += 1
        self._soon.set()

    @contextmanager
    def index(self) -> Generator[OpenIndex]:
        """Return this thread's index, as the latest look at the store left it.

        Raises:
            UserError: There is none yet and the store cannot be read.
        """
        file = self._file()
        held: tuple[object, OpenIndex] | None = getattr(self._own, "index", None)
        if held is None or held[0] != file:
            if held:
                held[1].close()
            opened = open_index(self.store, refresh=False)
            self._own.index = held = (self._file(), opened)
        yield held[1]

    def _file(self) -> object:
        """Return what tells the index from one that took its place."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def refresh(self) -> None:
        """Look at the store now."""
        with self._refreshing:
            began = time.monotonic()
            try:
                with open_index(self.store) as index:
                    changed = index.one("SELECT value FROM meta WHERE name = 'changed'")
                    going_on = [
                        run for (run,) in index.execute("SELECT run FROM run WHERE NOT whole")
                    ]
                found = ((run, read_progress(self.store, run)) for run in going_on)
                live = {run: progress for run, progress in found if progress}
                version = _digest((self._file(), changed, {r: p.steps for r, p in live.items()}))
                fault = None
            except UserError as error:
                version, live, fault = _digest(str(error)), self.live, error
            self.standing = Standing(version, self.clock(), time.monotonic() - began, live, fault)

    def _work(self) -> None:
        while not self._over.is_set():
            try:
                self.refresh()
            except Exception as error:  # noqa: BLE001 a page says it; the next look may do better
                fault = UserError(f"the store was not read: {error!r}", "see the service's output")
                self.standing = replace(self.standing, fault=fault, version=_digest(str(fault)))
            self._soon.wait(_REFRESH_S)
            self._soon.clear()


def _digest(value: object) -> str:
    return hashlib.sha256(canonical_json(_plain(value))).hexdigest()[:16]


def _plain(value: object) -> object:
    return repr(value)
