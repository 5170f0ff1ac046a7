"""The emulation of a run has the nodes, states and order that the recordings have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
import yaml

from tests.servers.kfp import recordings
from tests.servers.kfp.releases import RELEASES, VERSIONS
from tests.servers.kfp.run_states import RunStates
from tests.servers.kfp.workflow import Task, Workflow, tasks_of

FIRST = ("ingest", "train", "distill-conv-025", "convert-teacher")
"""What had ended in the recordings before anything failed."""


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return request.param


class Emulated:
    """A run of the recorded graph, its Workflow called as the recorded one."""

    def __init__(self, version: str, case: str) -> None:
        self.version, self.case = version, case
        spec = next(
            iter(yaml.safe_load_all((recordings.needed() / "succeeds.ir.yaml").read_text()))
        )
        self.tasks = tasks_of(spec)
        if case == "driverfails":
            self.tasks = dict(_two_variants(self.tasks))
        if case == "stepfails":
            self.tasks = {n: replace(t, retries=1) for n, t in self.tasks.items()}
        self.states = RunStates(RELEASES[version])
        self.run = self.states.open_run({"display_name": case}, {"experiment_id": "e"}, {})[
            "run_id"
        ]
        numbers = count()
        workflow = Workflow(
            self.recorded_name, RELEASES[version], self.tasks, lambda: f"{next(numbers):06}"
        )
        self.states.workflows[self.run] = workflow

    @property
    def recorded_name(self) -> str:
        return next(
            row["display_name"]
            for row in recordings.tasks_told(self.recorded)
            if row.get("display_name", "").startswith(f"{_pipeline(self.case)}-")
            and "(" not in row["display_name"]
        )

    @property
    def recorded(self) -> dict[str, Any]:
        return recordings.runs_seen(self.version, self.case)[-1]

    def done(self, *tasks: str) -> None:
        for task in tasks:
            self.states.start(self.run, task)
            self.states.finish(self.run, task)

    def rest(self) -> None:
        """Run what can still be run, in the order of the graph."""
        workflow = self.states.workflows[self.run]
        while ready := workflow.ready():
            self.done(*ready)

    def differs(self) -> dict[str, Any]:
        """Return how the emulated rows differ from the recorded ones, each with its children."""
        mine, theirs = (
            Counter(map(_facts, recordings.tasks_told(run)))
            for run in (self.states.runs[self.run], self.recorded)
        )
        return {"only emulated": mine - theirs, "only recorded": theirs - mine}


def _pipeline(case: str) -> str:
    return {"iscached": "succeeds"}.get(case, case)


def _facts(row: dict[str, Any]) -> Any:
    """Return what two rows of one node have in common; launchers' rows differ in nothing else."""
    children = tuple(sorted(child["pod_name"] for child in row.get("child_tasks", ())))
    keys = tuple(sorted(row.keys() - {"child_tasks", "state_history"}))
    return row.get("display_name"), row.get("state"), children, keys


def _two_variants(tasks: dict[str, Task]) -> Iterator[tuple[str, Task]]:
    """Yield the graph of ``driverfails``: variant ``a`` of one student, ``b`` of another."""
    for name, task in tasks.items():
        names = [name.replace("-a", "-b"), name] if "-a" in name else [name]
        if name == "distill-conv-025":
            names = [name, "distill-conv-050"]
        for one in names:
            needs: list[str] = []
            for need in task.needs:
                if name == "select" and "-a" in need:
                    needs += [need, need.replace("-a", "-b")]
                elif need == "distill-conv-025" and one.endswith("-a"):
                    needs.append("distill-conv-050")
                else:
                    needs.append(
                        need.replace("-a", "-b") if one.endswith(("-b", "-b-host")) else need
                    )
            yield one, replace(task, name=one, needs=tuple(needs))


def test_a_run_that_succeeds(version: str) -> None:
    emulated = Emulated(version, "succeeds")
    emulated.states.begin(emulated.run)
    emulated.done(*FIRST)
    emulated.rest()
    emulated.states.end(emulated.run)
    assert not any(emulated.differs().values()), emulated.differs()
    assert _states(emulated.states.runs[emulated.run]) == _states(emulated.recorded)


def test_a_step_that_fails(version: str) -> None:
    emulated = Emulated(version, "stepfails")
    emulated.states.begin(emulated.run)
    emulated.states.start(emulated.run, "ingest")
    if not RELEASES[version].retries_every_template:  # its policy counts there, and says once more
        emulated.states.fail_attempt(emulated.run, "ingest", 0)
        emulated.states.start(emulated.run, "ingest", 1)
    emulated.states.finish(emulated.run, "ingest", "FAILED")
    emulated.states.end(emulated.run, "FAILED")
    assert not any(emulated.differs().values()), emulated.differs()
    assert _states(emulated.states.runs[emulated.run]) == _states(emulated.recorded)


def test_a_driver_that_fails(version: str) -> None:
    emulated = Emulated(version, "driverfails")
    emulated.states.begin(emulated.run)
    emulated.done("ingest", "train")
    failed = next(
        row["display_name"].partition("-driver")[0]
        for row in recordings.tasks_told(emulated.recorded)
        if row.get("state") == "FAILED" and "-driver" in row["display_name"]
    )
    emulated.states.fail_driver(emulated.run, failed)
    emulated.rest()
    emulated.states.end(emulated.run, "FAILED")
    assert not any(emulated.differs().values()), emulated.differs()


def test_a_run_that_is_cancelled(version: str) -> None:
    emulated = Emulated(version, "iscancelled")
    emulated.states.begin(emulated.run)
    over = {
        row.get("display_name"): row.get("state")
        for row in recordings.tasks_told(emulated.recorded)
    }
    emulated.done(*(step for step in FIRST if over[step] == "SUCCEEDED"))
    for step in emulated.tasks:
        if over.get(step) == "FAILED":
            emulated.states.start(emulated.run, step)
    if version == "2.5.0":  # the two steps that were killed there had come to their end before
        for step in ("distill-conv-025", "convert-teacher"):
            emulated.states.launched(emulated.run, step)
    emulated.states.terminate(emulated.run)
    emulated.states.end(emulated.run)
    assert not any(emulated.differs().values()), emulated.differs()
    history = [entry["state"] for entry in emulated.states.runs[emulated.run]["state_history"]]
    assert history == ["PENDING", "RUNNING", "CANCELING", "FAILED"]
    assert history == [entry["state"] for entry in emulated.recorded["state_history"]]


@pytest.mark.parametrize("case", ["rootfails", "importerfails"])
def test_what_fails_before_any_step(case: str) -> None:
    emulated = Emulated("2.17.0", case)
    if case == "rootfails":
        emulated.states.begin(emulated.run, root_driver="Failed")
    else:
        emulated.states.begin(emulated.run)
        emulated.states.fail_importer(emulated.run, "source-data")
        emulated.states.end(emulated.run, "FAILED")
    assert not any(emulated.differs().values()), emulated.differs()
    assert emulated.states.runs[emulated.run]["state"] == "FAILED"


@pytest.mark.parametrize("version", ["2.5.0", "2.17.0"])
def test_a_run_that_is_retried(version: str) -> None:
    emulated = Emulated(version, "isretried")
    states, run = emulated.states, emulated.run
    if version == "2.5.0":
        emulated.tasks |= {n: replace(t, retries=1) for n, t in emulated.tasks.items()}
        states.workflows[run].tasks = dict(emulated.tasks)
    states.begin(run)
    emulated.done("ingest", "train")
    states.start(run, "distill-conv-025")
    emulated.done("convert-teacher")
    if version == "2.5.0":
        states.fail_attempt(run, "distill-conv-025", 0)
        states.start(run, "distill-conv-025", 1)
    states.finish(run, "distill-conv-025", "FAILED")
    emulated.rest()
    states.end(run, "FAILED")
    launched = sum("execution_id" in row for row in recordings.tasks_told(states.runs[run]))
    states.retry(run)
    assert sum(row.get("state") == "FAILED" for row in recordings.tasks_told(states.runs[run])) >= 4
    emulated.rest()
    states.end(run)
    assert sum("execution_id" in row for row in recordings.tasks_told(states.runs[run])) > launched
    assert not any(emulated.differs().values()), emulated.differs()
    assert _states(states.runs[run]) == _states(emulated.recorded)


def _states(run: dict[str, Any]) -> list[str]:
    return [entry["state"] for entry in run["state_history"]]
