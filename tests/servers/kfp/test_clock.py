"""Runs by the clock come late, say for which minute, and are called after the schedule's object."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from tests.servers.kfp.backend import Backend
from tests.servers.kfp.clock import LATE_MAX_S, Cron
from tests.servers.kfp.tiny_pipelines import spec_of

MORNING = datetime(2026, 11, 27, 3, 29, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("0 30 3 * * *", ["27 03:30", "28 03:30"]),
        ("0 30 3 * * SAT", ["28 03:30"]),
        ("0 */30 3 28 *", ["28 03:00", "28 03:30"]),
        ("0 0 4 28 * FRI", ["27 04:00", "28 04:00"]),
    ],
)
def test_when_it_is_time(text: str, times: list[str]) -> None:
    found = Cron(text).times(MORNING, MORNING + timedelta(days=1, hours=1))
    assert [f"{moment:%d %H:%M}" for moment in found] == times


@pytest.fixture
def backend() -> Backend:
    return Backend()


def schedule(backend: Backend, **how: Any) -> str:
    pipeline = backend.create_pipeline({"name": "small"})
    text = yaml.safe_dump(spec_of({"source": []})).encode()
    version = backend.upload_version(pipeline["pipeline_id"], "v", text, {})
    experiment = backend.create_experiment({"display_name": "small"})
    body = {
        "display_name": "Every morning",
        "experiment_id": experiment["experiment_id"],
        "pipeline_version_reference": {
            "pipeline_id": pipeline["pipeline_id"],
            "pipeline_version_id": version["pipeline_version_id"],
        },
        "runtime_config": {"pipeline_root": "gs://b/r"},
        "max_concurrency": "1",
        "trigger": {"cron_schedule": {"cron": "0 30 3 * * *"}},
    }
    return backend.create_recurring(body | how)["recurring_run_id"]


def test_a_run_comes_up_to_20_seconds_late_and_stands_for_its_minute(backend: Backend) -> None:
    identifier = schedule(backend)
    assert backend.tick(MORNING) == []
    late, made = 0, []
    while not made:
        late += 1
        made = backend.tick(MORNING + timedelta(seconds=1 + late))
    assert 0 < late <= LATE_MAX_S + 1
    (run,) = made
    assert run["scheduled_at"] == "2026-11-27T03:30:00Z"
    assert run["recurring_run_id"] == identifier
    assert re.fullmatch(r"everymorning[0-9a-f]{5}-1-\d+", run["display_name"])
    assert backend.tick(MORNING + timedelta(minutes=5)) == []
    assert run["created_at"] > "2026-11-27T03:30:00Z"


def test_no_more_run_at_once_than_allowed_and_none_while_paused(backend: Backend) -> None:
    identifier = schedule(backend)
    backend.tick(MORNING)
    (run,) = backend.tick(MORNING + timedelta(minutes=1))
    assert backend.tick(MORNING + timedelta(days=1, minutes=1)) == []
    backend.begin(run["run_id"])
    backend.end(run["run_id"])
    backend.switch(identifier, "DISABLED")
    assert backend.tick(MORNING + timedelta(days=2, minutes=1)) == []
    backend.switch(identifier, "ENABLED")
    (second,) = backend.tick(MORNING + timedelta(days=3, minutes=1))
    assert "-2-" in second["display_name"]
