"""What all pages share: the store, its index, the runs that go on, and what keeps them current."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
import traceback
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from components.contract.errors import UserError
from pipelines import __version__
from pipelines.lineage.index.database import index_path
from pipelines.lineage.index.opening import OpenIndex, bring_up_to_date, read_index
from pipelines.runs.cache import Cache
from pipelines.runs.live.progress import RunProgress, read_progress
from pipelines.runs.records import RunRecord, read_run, read_started
from pipelines.runs.workspace import workspace_root
from pipelines.stores.store import Store
from pipelines.triggers.loop import TriggerLoop
from pipelines.web.cluster_sync import ClusterSync
from pipelines.web.jobs import Jobs
from pipelines.web.kept_answers import KeptAnswers
from pipelines.web.news import news_of
from pipelines.web.proofs import Proofs
from pipelines.web.request_counts import RequestCounts
from pipelines.web.security.faults import Faults
from pipelines.web.settings import ServeSettings
from pipelines.web.standing import Health, IndexMissingError, Reading, StoreSeen
from pipelines.web.store_counts import StoreCounts

_REFRESH_S = 2.0
"""How often the store is looked at while somebody looks at pages."""

_SHARE = 10
"""A look that takes long is followed by a pause of so many times as long."""

_ALONE_S, _ALONE_REFRESH_S = 60.0, 15.0
"""After so long without a request the store is looked at less often, which is the longest pause;
the next request ends that."""

_GONE_S = 60.0
"""So often it is asked again whether a run whose process is gone has come back."""

_JOIN_S = 1.0


class Service:
    """Serves one store; may be used by many threads.

    Args:
        store: Which store.
        settings: How.
        clock: Now, with its time zone.
        faults: Tells whoever runs the service of them; None: nobody is told.
        requests: What guards count; None: nothing is.
    """

    def __init__(
        self,
        store: Store,
        settings: ServeSettings,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        faults: Faults | None = None,
        requests: RequestCounts | None = None,
    ) -> None:
        self.store = store
        self.settings = settings
        self.clock = clock
        self.cache = Cache(store, workspace_root(store))
        self.proofs = Proofs(store.uri, clock)
        self.answers = KeptAnswers(64)
        self.graphs = KeptAnswers(64)
        self.expected = KeptAnswers(64)
        self.thumbnails = KeptAnswers(1_000)
        self.exclusions = KeptAnswers(1)
        self.launches = KeptAnswers(256)
        self.began = secrets.token_hex(8)
        self.standing = StoreSeen()
        self.faults = faults or Faults(lambda _: None)
        self.triggers: TriggerLoop | None = None
        self.sync: ClusterSync | None = None
        self._since = clock()
        self.jobs = Jobs(store.uri, self.news)
        self.store_counts = StoreCounts(self.index)
        self.requests = requests or RequestCounts()
        self._path = index_path(store.uri)
        self._own = threading.local()
        self._changed = 0
        self._asked = time.monotonic()
        self._judged: dict[str, float] = {}
        self._reading: Reading | None = None
        self._was_there = False
        self._refreshing = threading.Lock()
        self._over = threading.Event()
        self._soon = threading.Event()
        self._thread = threading.Thread(target=self._work, name="refresh", daemon=True)
        if not settings.read_only:
            self._make_workers()

    def _make_workers(self) -> None:
        settings = self.settings
        if settings.triggers:
            self.triggers = TriggerLoop(
                self.store, at_once=settings.at_once, notify=settings.notify, on_change=self.news,
                clock=self.clock,
            )  # fmt: skip
        if settings.kubeflow:
            self.sync = ClusterSync(self.store, settings.kubeflow, on_change=self.news)

    # its life ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Bring the index up to date from now on, evaluate triggers, import a cluster's runs."""
        self._thread.start()
        if self.triggers:
            self.triggers.start()
        if self.sync:
            self.sync.start()

    def stop(self) -> None:
        """Do nothing of that any more; what was started goes on without the service."""
        self._over.set()
        self._soon.set()
        if self.sync:
            self.sync.stop()
        if self.triggers:
            self.triggers.stop()
        if self._thread.ident:
            self._thread.join(_JOIN_S)

    # what is new ---------------------------------------------------------------------------------

    @property
    def version(self) -> str:
        """Another one whenever a page may look different."""
        reading = self._reading.done if self._reading else ""
        return f"{self.began}.{self._changed}.{self.standing.version}.{reading}"

    @property
    def live(self) -> Mapping[str, RunProgress]:
        """How far the runs are that go on, by run."""
        return self.standing.live

    @property
    def gone(self) -> Mapping[str, RunRecord]:
        """Records of runs that the index takes for running, and whose process is gone, by run."""
        return self.standing.gone

    def changed(self) -> None:
        """Say that something was changed through a page: pages are made anew, the store is read."""
        self._changed += 1
        self._soon.set()

    news = changed

    def asked(self) -> None:
        """Say that somebody looks at a page."""
        before, self._asked = self._asked, time.monotonic()
        if self._asked - before > _ALONE_S:
            self._soon.set()

    def health(self) -> Health:
        """Say how the service does."""
        try:
            index_bytes = self._path.stat().st_size
        except OSError:
            index_bytes = 0
        return Health(
            release=__version__,
            began=self._since,
            looked=self.standing,
            reading=self._reading,
            index_bytes=index_bytes,
            triggers=self.triggers.health() if self.triggers else None,
            sync=self.sync.health() if self.sync else None,
            refused=self.faults.refused,
            bugs=self.faults.bugs,
        )

    # the index -----------------------------------------------------------------------------------

    @contextmanager
    def index(self) -> Generator[OpenIndex]:
        """Return this thread's index, as the latest look at the store left it.

        Nothing is read from the store here, and nobody is waited for.

        Raises:
            IndexMissingError: It is still being made.
            UserError: The disk of this machine does not let it be used.
        """
        file = self._file()
        held: tuple[object, OpenIndex] | None = getattr(self._own, "index", None)
        if held is None or held[0] != file:
            if held:
                held[1].close()
                del self._own.index
            opened = read_index(self.store)
            if opened is None:
                fault = self.standing.fault
                if fault:
                    raise fault
                raise IndexMissingError(
                    f"the store {self.store.uri} is being read for the first time", "wait for it"
                )
            self._own.index = held = (file, opened)
        yield held[1]

    @property
    def reading(self) -> Reading | None:
        """How far an index is that is being made, or None."""
        return self._reading

    def _file(self) -> object:
        """Return what tells the index from one that took its place."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    # looks at the store --------------------------------------------------------------------------

    def refresh(self) -> None:
        """Look at the store now."""
        with self._refreshing:
            began = time.monotonic()
            before = self.standing
            try:
                self._check_folder()
                bring_up_to_date(self.store, self._told)
                self.standing = self._looked(before, began)
            except UserError as error:
                version = _digest(("fault", str(error), before.version))
                if before.fault and str(before.fault) == str(error):
                    version = before.version
                took_s = time.monotonic() - began
                self.standing = replace(
                    before, version=version, at=self.clock(), took_s=took_s, fault=error
                )
            finally:
                self._reading = None

    def _check_folder(self) -> None:
        """Refuse the folder of a store that was there and is gone, as a disk that was unmounted.

        A store without its folder is one without runs, and the index would be made anew as of one.
        """
        there = "://" in self.store.uri or Path(self.store.uri).is_dir()
        if self._was_there and not there:
            raise UserError(
                f"the folder {self.store.uri} is not there any more", "mount it, or put it back"
            )
        self._was_there = there

    def _looked(self, before: StoreSeen, began: float) -> StoreSeen:
        with self.index() as index:
            stamp = index.stamp
            rows = index.execute("SELECT run FROM run WHERE NOT whole ORDER BY run")
            going_on = [str(run) for (run,) in rows]
        live: dict[str, RunProgress] = {}
        gone: dict[str, RunRecord] = {}
        for run in going_on:
            if record := self._gone(before, run):
                gone[run] = record
            elif progress := read_progress(self.store, run):
                live[run] = progress
        news = news_of(self.store, list(live), self.clock())
        steps = {run: progress.steps for run, progress in live.items()}
        told = (self._file(), stamp, going_on, steps, sorted(gone), news)
        return StoreSeen(_digest(told), self.clock(), time.monotonic() - began, live, gone)

    def _gone(self, before: StoreSeen, run: str) -> RunRecord | None:
        """Return the record of a run whose process is gone, or None where it goes on."""
        now = time.monotonic()
        if run in before.gone and now - self._judged.get(run, -_GONE_S) < _GONE_S:
            return before.gone[run]
        try:
            started = read_started(self.store, run)
            record = read_run(self.store, run) if started else None
        except UserError:  # damaged: the index names it
            return None
        if record is None or record.outcome == "running":
            return None
        self._judged[run] = now
        return record

    def _told(self, done: int, all_: int) -> None:
        if all_:
            self._reading = Reading(done, all_)

    def _work(self) -> None:
        while not self._over.is_set():
            try:
                self.refresh()
            except Exception as error:  # noqa: BLE001 a page says it; the next look may do better
                self._failed(error)
            self._soon.wait(self._pause_s())
            self._soon.clear()

    def _failed(self, error: Exception) -> None:
        what = f"the store was not read, by a fault of slimline's own: {error!r}"
        fault = UserError(what, "see what the service printed")
        if str(self.standing.fault) != str(fault):
            self.faults.bug("".join(traceback.format_exception(error)))
            self.standing = replace(self.standing, fault=fault, version=_digest(str(fault)))

    def _pause_s(self) -> float:
        alone = time.monotonic() - self._asked > _ALONE_S
        rest_s = min(_SHARE * self.standing.took_s, _ALONE_REFRESH_S)
        return max(_ALONE_REFRESH_S if alone else _REFRESH_S, rest_s)


def _digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]
