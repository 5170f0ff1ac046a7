"""Runs of a cluster that nobody watched are imported every few minutes."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from components.contract.errors import UserError
from pipelines.disk.scratch import scratch_folder
from pipelines.runs.cache import Cache
from pipelines.runs.workspace import workspace_root
from pipelines.stores.store import Store
from pipelines.web.settings import KubeflowSettings
from pipelines.web.standing import SyncHealth

EVERY_S = 300.0
_JOIN_S = 0.5


class ClusterSync:
    """Imports them in a thread of its own: a cluster that does not answer holds nobody up.

    Args:
        store: Where runs are imported into.
        cluster: Which cluster.
        on_change: Called when an import has ended, in that thread.
        every_s: So often.
    """

    def __init__(
        self,
        store: Store,
        cluster: KubeflowSettings,
        on_change: Callable[[], None],
        every_s: float = EVERY_S,
    ) -> None:
        self._store = store
        self._cluster = cluster
        self._on_change = on_change
        self._every_s = every_s
        self._health = SyncHealth(cluster.host or "")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="sync", daemon=True)

    def start(self) -> None:
        """Import from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Import no more; what is on its way is imported the next time."""
        self._over.set()
        if self._thread.ident:
            self._thread.join(_JOIN_S)

    def health(self) -> SyncHealth:
        """Say how it does."""
        return self._health

    def _work(self) -> None:
        while not self._over.is_set():
            self.sync()
            self._on_change()
            self._over.wait(self._every_s)

    def sync(self) -> None:
        """Import what has ended, now."""
        began = time.monotonic()
        before = self._health
        try:
            runs, imported, fault = self._import()
        except UserError as error:
            runs, imported, fault = before.runs, 0, error
        except Exception as error:  # noqa: BLE001 /health says it; the next import may do better
            what = f"runs were not imported, by a fault of slimline's own: {error!r}"
            runs, imported, fault = before.runs, 0, UserError(what, "slimline sync says more")
        self._health = replace(
            before, at=datetime.now(UTC), took_s=time.monotonic() - began, runs=runs,
            imported=before.imported + imported, fault=fault,
        )  # fmt: skip

    def _import(self) -> tuple[int, int, UserError | None]:
        """Return how many runs there are, how many were imported, and a fault of one of them."""
        from pipelines.engines.kubeflow.api.connection import Connection
        from pipelines.engines.kubeflow.syncing import IMPORTED, sync

        connection = Connection(
            self._cluster.host, self._cluster.namespace, auth=self._cluster.auth
        )
        name = f"sync-{secrets.token_hex(8)}"
        with scratch_folder(workspace_root(self._store), name) as scratch:
            synced = sync(connection, Cache(self._store, scratch), scratch)
        fault = next((one.error for one in synced if one.error), None)
        return len(synced), sum(one.state == IMPORTED for one in synced), fault
