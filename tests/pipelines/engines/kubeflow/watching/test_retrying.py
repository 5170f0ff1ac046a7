"""Retrying: one count for all who retry, and each failure counted once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import UserError
from pipelines.engines.kubeflow.api.connection import Connection
from pipelines.engines.kubeflow.watching.failures import StepFailure
from pipelines.engines.kubeflow.watching.retrying import Refusal, Retries, Retry
from pipelines.stores.opening import open_store
from tests.pipelines.engines.kubeflow.bucket.test_versions import version
from tests.pipelines.engines.kubeflow.recorded import as_run
from tests.servers.kfp.server import KfpServer

LOST = StepFailure("train", "train: was killed", "more memory", user_fault=True, retriable=True)
WRONG = replace(LOST, step="prune", retriable=False)
KEY = "tiny/run/retries.json"


def failed(minute: int, *, cancelled: bool = False) -> Any:
    history = [{"state": "RUNNING"}, *([{"state": "CANCELING"}] if cancelled else [])]
    moment = f"2026-01-01T00:{minute:02}:00Z"
    history.append({"state": "FAILED", "update_time": moment})
    return as_run({"run_id": "run", "state": "FAILED", "state_history": history})


@pytest.fixture
def retries(kfp: KfpServer, tmp_path: Path) -> Callable[[], Retries]:
    """Another process that may retry the run, twice at most, after 60 s."""
    connection = Connection(kfp.url)
    limited = replace(version(), retries=2, backoff_s=60)
    return lambda: Retries(connection, open_store(str(tmp_path / "root")), limited, "run")


def test_a_failure_is_counted_once_whoever_asks(retries: Callable[[], Retries]) -> None:
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda _: retries().claim(failed(1), [LOST]), range(8)))
    assert len(set(claims)) == 1
    assert [one.number for one in retries().all()] == [1]


def test_the_count_ends_at_what_is_configured_and_waits_double(
    retries: Callable[[], Retries],
) -> None:
    first, second = (retries().claim(failed(minute), [LOST]) for minute in (1, 2))
    assert isinstance(first, Retry)
    assert isinstance(second, Retry)
    assert (first.steps, second.number) == (("train",), 2)
    assert (retries().wait_s(first), retries().wait_s(second)) == (60, 120)
    assert 50 < retries().due_in_s(first) <= 60
    assert retries().claim(failed(3), [LOST]) == Refusal(
        "tried again 2 times, the most that is configured"
    )


@pytest.mark.parametrize(
    ("run", "failures", "why"),
    [
        (failed(1, cancelled=True), [LOST], ""),
        (failed(1), [LOST, WRONG], "not tried again, because that would not help"),
    ],
    ids=["cancelled", "one of them is final"],
)
def test_what_is_not_tried_again_is_not_counted(
    retries: Callable[[], Retries], run: Any, failures: list[StepFailure], why: str
) -> None:
    assert retries().claim(run, failures) == Refusal(why)
    assert retries().all() == []


def test_a_damaged_count_is_said_and_the_fix_helps(
    retries: Callable[[], Retries], tmp_path: Path
) -> None:
    root = open_store(str(tmp_path / "root"))
    root.put_if_absent(KEY, b"{}")
    with pytest.raises(UserError, match=f"{KEY} is not what slimline wrote") as caught:
        retries().claim(failed(1), [LOST])
    assert caught.value.fix.startswith("remove it")
    (tmp_path / "root" / KEY).unlink()
    assert isinstance(retries().claim(failed(1), [LOST]), Retry)
