"""Going on: what comes after a part of a launch when nobody looks on any more."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pipelines.engines.kubeflow.api.connection import Connection
from pipelines.engines.kubeflow.launching.launch_record import parts_of, read_launch
from pipelines.engines.kubeflow.launching.submission import Submission
from pipelines.engines.kubeflow.results.known_results import KnownResult, of_record
from pipelines.engines.kubeflow.results.result_importer import ResultImporter
from pipelines.runs.cache import Cache
from pipelines.runs.live.cancelling import read_cancellation
from pipelines.runs.records import read_started
from pipelines.runs.step_records import read_record
from pipelines.stores.bucket import BucketStore
from pipelines.stores.store import Store

Rest = Literal["none", "started", "left", "cancelled"]
"""What there is to do after a part: nothing; its next part, which was started; that part, which is
left to whoever launched it; or that part, which somebody does not want any more."""


def go_on(
    connection: Connection,
    root: BucketStore,
    run: str,
    importer: ResultImporter,
    cache: Cache,
    scratch: Path,
) -> Rest:
    """Start the part of a launch that follows those that have ended well.

    Only the store that a run was launched from goes on with it: the others do not know whether
    somebody has cancelled it.

    Args:
        connection: The API server.
        root: The pipeline root.
        run: The launch.
        importer: What its parts, and earlier runs, made.
        cache: Of the store.
        scratch: A folder of this machine for what is on its way.

    Raises:
        UserError: It cannot be gone on with, or the cluster refuses the part.
    """
    record = read_launch(root, run)
    if record is None:
        return "none"
    plan = record.plan.with_results(made_by(importer, cache, root))
    reachable = record.reachable()
    if not plan.missing(reachable.graph, record.sources):
        return "none"
    if read_started(cache.store, run) is None:
        return "left"
    if read_cancellation(cache.store, run):
        return "cancelled"
    submission = Submission(connection, root, reachable, record, cache, scratch)
    coming = submission.next(plan, len(parts_of(root, run)) + 1)
    assert coming, "a step is missing"
    submission.start(coming)
    return "started"


def made_by(importer: ResultImporter, cache: Cache, root: Store) -> Mapping[str, KnownResult]:
    """Return what was imported of a part, from the records that were written of it.

    Args:
        importer: Of the part.
        cache: Of the store that the records are in.
        root: The pipeline root.
    """
    made: dict[str, KnownResult] = {}
    for name, done in importer.done.items():
        record = read_record(cache.store, done.record)
        assert record, done.record
        made[name] = of_record(record, root.uri)
    return made
