"""``slimline sync``: runs of a cluster that nobody watched are imported into a store."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pipelines.cli.arguments import STORE, add_command, check_place, cluster_arguments, connect
from pipelines.cli.output import OK, USER_FAULT, complain, print_json, print_remark, print_text

if TYPE_CHECKING:
    from pipelines.engines.kubeflow.syncing import Synced
    from pipelines.runs.cache import Cache

_Importing: TypeAlias = "Callable[[Cache, Path, Callable[[Synced], None]], list[Synced]]"


def add(commands: Any) -> None:
    """Add the parser of the command."""
    summary = "import the runs of a cluster that nobody watched"
    parser = add_command(commands, "sync", summary, run)
    cluster_arguments(parser)
    parser.add_argument("--store", metavar="PLACE", help=f"where they go (default: {STORE})")
    parser.add_argument(
        "--retry",
        action="store_true",
        help="have runs that failed tried again, as often in all as kubeflow.retries says",
    )


def run(arguments: argparse.Namespace) -> int:
    """Import the runs, say what became of each, and return the exit code."""
    importing = _importing(arguments)
    from pipelines.engines.kubeflow.syncing import IMPORTED

    def say(one: Synced) -> None:
        if not arguments.json:
            outcome = f"  {one.outcome}" if one.outcome else ""
            print_remark(f"{one.state:<13}  {one.run}{outcome}")

    with _opened(arguments.store or STORE) as (cache, scratch):
        synced = importing(cache, scratch, say)
    damaged = [one for one in synced if one.error]
    if arguments.json:
        print_json({"runs": [one.to_json() for one in synced]})
    else:
        imported = sum(one.state == IMPORTED for one in synced)
        print_text(f"{imported} of {len(synced)} runs imported")
    for one in damaged:
        assert one.error
        complain(one.error.what, one.error.fix)
    return USER_FAULT if damaged else OK


def _importing(arguments: argparse.Namespace) -> _Importing:
    """Return what imports the runs of the cluster that is meant.

    Raises:
        UserError: It cannot be reached.
    """
    if arguments.engine != "vertex":
        connection = connect(arguments)
        from pipelines.engines.kubeflow.syncing import sync

        return lambda cache, scratch, say: sync(
            connection, cache, scratch, say, retry=arguments.retry
        )
    check_place(arguments)
    from pipelines.engines.vertex.jobs import PipelineJobs
    from pipelines.engines.vertex.place import place_of
    from pipelines.engines.vertex.syncing import sync as sync_jobs

    jobs = PipelineJobs(place_of(arguments.project, arguments.location, arguments.host))
    return lambda cache, scratch, say: sync_jobs(jobs, cache, scratch, say)


@contextmanager
def _opened(place: str) -> Generator[tuple[Cache, Path]]:
    """Open a store and a scratch folder for what is on its way there."""
    import secrets

    from pipelines.disk.scratch import scratch_folder
    from pipelines.runs.cache import Cache
    from pipelines.runs.workspace import workspace_root
    from pipelines.stores.opening import open_store

    store = open_store(place)
    with scratch_folder(workspace_root(store), f"sync-{secrets.token_hex(8)}") as scratch:
        yield Cache(store, scratch), scratch
