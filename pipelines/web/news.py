"""What pages show beside the index: whether any of it has changed, found out cheaply.

The index says it of runs, releases and data. Of the rest few and short listings tell: what is kept
once for ever needs no more than its name, what is written again a version.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from pipelines.launch.detached import signs
from pipelines.stores.layout import ACTIONS, CLAIMS, LAUNCHES, TRIGGERS, cancel_key
from pipelines.stores.store import Store


def news_of(store: Store, going_on: Sequence[str], now: datetime) -> tuple[object, ...]:
    """Return what is equal as long as nothing of it has changed.

    Args:
        store: Which store.
        going_on: Runs that have not ended: somebody may have asked for their end.
        now: The present; actions are those of today and yesterday, older ones stay as they are.

    Raises:
        UserError: The store cannot be read.
    """
    days = [f"{ACTIONS}{day:%Y-%m-%d}/" for day in (now - timedelta(days=1), now)]
    written = list(store.list(TRIGGERS))
    asked = [cancel_key(run) for run in going_on]
    versions = store.stat_many([*written, *asked])
    once = [key for prefix in (LAUNCHES, CLAIMS, *days) for key in store.list(prefix)]
    return (written, [found and found.version for found in versions], once, signs())
