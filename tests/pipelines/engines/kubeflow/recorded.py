"""What real servers answered, as the client reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import kfp_server_api as api  # pyright: ignore[reportMissingTypeStubs]

from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.runs.graph import Graph
from pipelines.stores.opening import open_store
from pipelines.stores.store import Store
from tests.servers.kfp import recordings

ROOT = "root/"
"""The prefix of the recordings' pipeline root in its bucket."""


class _Reply:
    def __init__(self, content: object) -> None:
        self.data = json.dumps(content)


def as_run(content: object) -> Any:
    """Return a run as the generated client gives it."""
    return cast("Any", api).ApiClient().deserialize(_Reply(content), "V2beta1Run")


def polls(version: str, case: str) -> list[Any]:
    """Return the recorded answers to how the run is, the last one at its end."""
    return [as_run(seen) for seen in recordings.runs_seen(version, case)]


def graph(case: str) -> Graph:
    """Return the graph that was run."""
    name = {"toolarge": "wide30", "iscached": "succeeds"}.get(case, case)
    return graph_of(load(recordings.needed() / "configs" / f"{name}.yaml"))


def bucket(version: str, case: str, folder: Path) -> Store:
    """Return a pipeline root with what was recorded of one: names, and the texts of logs."""
    recorded = recordings.document(version, "bucket").get(case, {})
    root = open_store(str(folder))
    for key, _ in recorded.get("objects", ()):
        text = recorded.get("executor_logs", {}).get(key, "")
        root.put_if_absent(key.removeprefix(ROOT), text.encode())
    return root
