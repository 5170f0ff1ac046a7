"""Retrying: a run that failed is tried again by the server, at most so often in all.

A pod's exit code never reaches Argo, and from 2.17 on no step that fails is tried again there. The
server's own ``:retry`` works in all versions: the same run goes on, and what was done is kept. How
often it was given is counted in the pipeline root, ``<pipeline>/<run>/retries.json``, by whoever
gives it: a claim is put there first, and only who put it there gives the order.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from pipelines.engines.kubeflow.api.api_faults import AlreadyExistsError
from pipelines.engines.kubeflow.api.connection import Connection, Resource
from pipelines.engines.kubeflow.bucket.versions import PipelineVersion
from pipelines.engines.kubeflow.watching import status
from pipelines.engines.kubeflow.watching.failures import StepFailure
from pipelines.runs.moments import now
from pipelines.stores.store import KeyMissing, Store

LEAVES_S = 60.0
"""A run that was retried and is FAILED after so long will stay so."""

_SWAPS = 8
_FACTOR = 2


@dataclass(frozen=True)
class Retry:
    """One retry of a run.

    Attributes:
        number: From 1.
        failed_at: When the run had failed: ISO 8601, by the server's clock.
        steps: What had failed.
        at: When it was decided: ISO 8601, UTC.
    """

    number: int
    failed_at: str
    steps: tuple[str, ...]
    at: str


@dataclass(frozen=True)
class Refusal:
    """Why a run that failed is not tried again.

    Attributes:
        why: As a note after what failed; empty where nobody wanted it to be.
    """

    why: str


class Retries:
    """The retries of one run of Kubeflow.

    Args:
        connection: The API server.
        root: The pipeline root.
        version: What runs, and how often it may be tried again.
        kfp_run: Kubeflow's identifier of the run.

    Attributes:
        most: How often the run is tried again in all.
    """

    def __init__(
        self, connection: Connection, root: Store, version: PipelineVersion, kfp_run: str
    ) -> None:
        self._connection = connection
        self._root = root
        self.most = version.retries
        self._backoff_s = version.backoff_s
        self._kfp_run = kfp_run
        self._key = f"{version.graph.name}/{kfp_run}/retries.json"

    def all(self) -> Sequence[Retry]:
        """Return the retries that were decided so far, whoever did.

        Raises:
            UserError: The count in the pipeline root is damaged.
        """
        return self._read()[1]

    def claim(self, run: Resource, failures: Sequence[StepFailure]) -> Retry | Refusal:
        """Decide whether a run that failed is tried again, and count it before it is.

        Whoever asks for the same failure gets the same answer, and the failure is counted once.

        Args:
            run: As the API tells of it.
            failures: What failed.

        Raises:
            UserError: The count in the pipeline root is damaged, or cannot be written.
        """
        if status.outcome_of(run) != "failed" or self.most == 0:
            return Refusal("")
        final = [failure.step for failure in failures if not failure.retriable]
        if final:
            return Refusal("not tried again, because that would not help")
        failed_at = status.failed_at(run)
        for _ in range(_SWAPS):
            version, retries = self._read()
            if retries and retries[-1].failed_at == failed_at:
                return retries[-1]
            if len(retries) >= self.most:
                return Refusal(f"tried again {len(retries)} times, the most that is configured")
            steps = tuple(failure.step for failure in failures)
            retry = Retry(len(retries) + 1, failed_at, steps, now())
            content = {"schema": 1, "retries": [asdict(one) for one in (*retries, retry)]}
            data = canonical_json(content)
            if version is None:
                written = self._root.put_if_absent(self._key, data)
            else:
                written = self._root.replace_if_match(self._key, data, version)
            if written:
                return retry
        raise UserError(
            f"{self._root.uri}/{self._key} is written by too many at once",
            "let one process watch the run: end the others, and run slimline sync later",
        )

    def wait_s(self, retry: Retry) -> float:
        """Return how long to wait before a retry, in seconds from its claim."""
        return float(self._backoff_s * _FACTOR ** (retry.number - 1))

    def due_in_s(self, retry: Retry) -> float:
        """Return in how many seconds from now a retry is due; 0 where it is."""
        due = datetime.fromisoformat(retry.at) + timedelta(seconds=self.wait_s(retry))
        return max(0.0, (due - datetime.fromisoformat(now())).total_seconds())

    def order(self) -> None:
        """Have the server retry the run; that it goes on already is as good.

        Raises:
            LookupError: The run is gone.
            UserError: The server does not do it.
        """
        try:
            self._connection.ask(self._connection.runs.run_service_retry_run, self._kfp_run)
        except AlreadyExistsError:
            return  # 409: the workflow is no longer one that failed

    def _read(self) -> tuple[str | None, list[Retry]]:
        """Return the version of the count, None where there is none, and the retries."""
        stat = self._root.stat(self._key)
        if stat is None:
            return None, []
        try:
            content = cast("dict[str, Any]", json.loads(self._root.get(self._key)))
            retries = [
                Retry(one["number"], one["failed_at"], tuple(one["steps"]), one["at"])
                for one in content["retries"]
            ]
        except KeyMissing:
            return None, []
        except (ValueError, LookupError, TypeError):
            raise UserError(
                f"{self._root.uri}/{self._key} is not what slimline wrote there",
                "remove it: the run may then be tried again as often as is configured",
            ) from None
        return stat.version, retries
