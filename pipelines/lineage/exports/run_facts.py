"""What the exports say of a run: its steps with their records, its release with its manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from components.artifacts.qualification import MANIFEST
from components.contract.errors import UserError
from pipelines.lineage.proof.walk import RELEASED, outputs_of
from pipelines.runs.cache import Cache, CorruptionError
from pipelines.runs.records import RunRecord
from pipelines.runs.step_records import ExecutionRecord, read_record


@dataclass(frozen=True)
class RunFacts:
    """A run, as the store knows it.

    Attributes:
        record: Of the run.
        executions: By step the record of the execution that made its results, where it is there.
        release: Tree digest of the release.
        manifest: Content of its ``manifest.json``.
        sizes: Bytes and files of every output, by tree digest, where the store knows them.
    """

    record: RunRecord
    executions: Mapping[str, ExecutionRecord]
    release: str
    manifest: Mapping[str, Any]
    sizes: Mapping[str, tuple[int, int]]

    @property
    def about(self) -> Mapping[str, Any]:
        """Who answers for the release and what for, as the configuration said it; else empty."""
        return cast("Mapping[str, Any]", self.manifest.get("about") or {})

    @property
    def packages(self) -> dict[str, str]:
        """The version of every package that a step of the run was executed with."""
        return {
            name: version
            for execution in self.executions.values()
            for name, version in sorted(execution.versions.items())
        }


def facts_of(cache: Cache, record: RunRecord) -> RunFacts:
    """Read what the exports say of a run.

    Args:
        cache: The store.
        record: Of the run.

    Raises:
        UserError: It has published no release, or what it left is damaged.
    """
    release = outputs_of(record, RELEASED).get("release")
    nothing = UserError(
        f"run {record.run} has released nothing: it is {record.outcome}, or no variant keeps the "
        "budgets",
        "slimline runs lists the others; slimline show RUN says what came closest",
    )
    if release is None:
        raise nothing
    try:
        manifest = json.loads(cache.read_file(release, MANIFEST))
    except KeyError as error:
        raise nothing from error
    except (CorruptionError, ValueError, RecursionError) as error:
        raise UserError(
            f"the release of run {record.run} is damaged: {error}",
            f"slimline verify {record.run} says what else; then slimline run CONFIG again",
        ) from error
    executions: dict[str, ExecutionRecord] = {}
    for name, step in record.steps.items():
        found = read_record(cache.store, str(step.get("record")))
        if found:
            executions[name] = found
    return RunFacts(record, executions, release, manifest, _sizes(cache, record))


def _sizes(cache: Cache, record: RunRecord) -> dict[str, tuple[int, int]]:
    """Return bytes and files of every output; a cluster keeps the lists of its own."""
    found: dict[str, tuple[int, int]] = {}
    for step in record.steps:
        for tree in outputs_of(record, step).values():
            try:
                listed = cache.tree(tree)
            except CorruptionError:
                continue
            found[tree] = (listed.size_bytes, len(listed.entries))
    return found
