"""The runs of an installation: their states, and what a test makes of their tasks.

``resource/resource_manager.go`` for the API's side; the cluster's side follows the recordings.
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.servers.kfp.argo_validation import refusal
from tests.servers.kfp.faults import RefusedError
from tests.servers.kfp.releases import Release
from tests.servers.kfp.task_rows import Resource, TaskRows
from tests.servers.kfp.workflow import Workflow, tasks_of

FINAL = ("SUCCEEDED", "FAILED", "CANCELED")
_PODS = ("Step exceeded its deadline", "workflow shutdown with strategy:  Terminate")


class RunStates:
    """Runs and the Workflows behind them.

    Args:
        release: The version.

    Attributes:
        runs: By identifier.
        workflows: The Workflow of each run.
        rows: What the API tells of its nodes.
        stuck: A retried run stays FAILED, as reported of 2.3.0 (kubeflow/pipelines#11329).
    """

    def __init__(self, release: Release) -> None:
        self.release = release
        self.runs: dict[str, Resource] = {}
        self.workflows: dict[str, Workflow] = {}
        self.rows: dict[str, TaskRows] = {}
        self.stuck = False
        self._clock = datetime.now(UTC)
        self._executions: dict[str, int] = {}
        self._logs: dict[tuple[str, str], str] = {}

    def now(self) -> str:
        """Return a time later than the last, in whole seconds as the database keeps it."""
        self._clock = max(self._clock + timedelta(seconds=1), datetime.now(UTC))
        return stamp(self._clock)

    def open_run(
        self,
        body: Resource,
        experiment: Resource,
        spec: dict[str, Any],
        identifier: str | None = None,
    ) -> Resource:
        """Add a run of a pipeline spec, as far as Argo takes the Workflow."""
        if wrong := refusal(spec, self.release):
            raise RefusedError(
                500,
                f"Failed to create a new run: InternalServerError: {wrong}",
                "Internal Server Error",
            )
        created = self.now()
        identifier = identifier or str(uuid.uuid4())
        made: Resource = {
            **body,
            "run_id": identifier,
            "experiment_id": experiment["experiment_id"],
            "storage_state": "AVAILABLE",
            "service_account": body.get("service_account") or "pipeline-runner",
            "created_at": created,
            "scheduled_at": body.get("scheduled_at", created),
            "finished_at": "1970-01-01T00:00:00Z",
            "state": "PENDING",
            "state_history": [{"update_time": created, "state": "PENDING"}],
        }
        runtime = {key: value for key, value in body.get("runtime_config", {}).items() if value}
        if runtime:
            made["runtime_config"] = runtime
        if self.release.plugins:
            made["plugins_output"] = {}
        self.runs[identifier] = made
        name = spec.get("pipelineInfo", {}).get("name", "pipeline")
        name = f"{name}-{hashlib.sha256(identifier.encode()).hexdigest()[:5]}"
        self.workflows[identifier] = Workflow(name, self.release, tasks_of(spec), self.now)
        self.rows[identifier] = TaskRows(identifier, created)
        return made

    def run(self, identifier: str) -> Resource:
        """Return a run as the API tells of it."""
        if identifier not in self.runs:
            missing = f"Run {identifier} not found"
            raise RefusedError(
                404, f"Failed to get a run: ResourceNotFoundError: {missing}", missing
            )
        return self.runs[identifier]

    def delete_run(self, identifier: str) -> None:
        """Forget a run; its Workflow goes with it."""
        self.run(identifier)
        for table in (self.runs, self.workflows, self.rows):
            del table[identifier]

    def terminate(self, identifier: str) -> None:
        """storage/run_store.go: only a run that has not ended can be terminated."""
        found = self.run(identifier)
        if found["state"] in FINAL:
            what = f"Failed to terminate a run {identifier}. Row not found"
            raise RefusedError(
                400, f"Failed to terminate run {identifier}: Invalid input error: {what}", what
            )
        self._enter(found, "CANCELING")

    def retry(self, identifier: str) -> None:
        """resource_manager.go, RetryRun: same run; what has succeeded stays."""
        found, workflow = self.run(identifier), self.workflows[identifier]
        if workflow.phase not in ("Failed", "Error"):
            what = "Workflow must be Failed/Error to retry"
            raise RefusedError(
                409,
                f"Failed to retry a run: Failed to retry run {identifier}: BadRequestError: {what}: "
                "workflow cannot be retried",
                what,
                code=10,
            )
        if self.stuck:
            return
        workflow.retry()
        if not self.release.keeps_history:
            found["state_history"] = []
        found["finished_at"] = "1970-01-01T00:00:00Z"
        self._enter(found, "RUNNING")  # the rows still say what was before

    def _enter(self, run: Resource, state: str) -> None:
        run["state"] = state
        run["state_history"] = [*run["state_history"], {"update_time": self.now(), "state": state}]
        if state in FINAL:
            run["finished_at"] = self.now()

    # what the cluster does, as tests say --------------------------------------------------------

    def begin(self, run: str, root_driver: str = "Succeeded") -> None:
        """The Workflow runs: its root and its driver are the first tasks, then the importers."""
        self._enter(self.runs[run], "RUNNING")
        workflow = self.workflows[run]
        workflow.begin(root_driver)
        if root_driver != "Succeeded":
            self._report(run)
            self._enter(self.runs[run], "FAILED")
            return
        self._report(run)

    def _import_for(self, run: str, task: str) -> None:
        """Run the importers that a task needs, as far as they have not run."""
        workflow = self.workflows[run]
        known = workflow.tasks.get(task)
        for need in known.needs if known else ():
            if workflow.tasks[need].importer and workflow.phase_of(need) is None:
                workflow.importing(need)

    def import_one(self, run: str, task: str) -> None:
        """One importer runs to its end."""
        self.workflows[run].importing(task)
        self._report(run)

    def start(self, run: str, task: str, attempt: int = 0) -> None:
        """A step's driver has ended and its pod runs."""
        self._import_for(run, task)
        self.workflows[run].execute(task, attempt)
        self._report(run)

    def finish(self, run: str, task: str, state: str = "SUCCEEDED", message: str = "") -> None:
        """A step ends: nothing but its state is told, whatever Argo's ``message`` says."""
        workflow = self.workflows[run]
        workflow.step_over(task, state.capitalize(), message)
        workflow.settle()
        if state == "SUCCEEDED":
            self.launched(run, task)
        self._report(run)

    def launched(self, run: str, task: str) -> None:
        """A step's launcher has ended well, perhaps after Argo had given its pod up.

        A row of its own is the entry for the cache.
        """
        known = self.workflows[run].tasks.get(task)
        if known is None or known.cached:
            self._executions[run] = self._executions.get(run, 3) + 1
            self.rows[run].launched(self._executions[run], self.now())

    def skip(self, run: str, task: str) -> None:
        """KFP has the result: the executor is skipped, and the graph around it has succeeded."""
        self._import_for(run, task)
        self.workflows[run].cached(task)
        self._report(run)

    def fail_attempt(self, run: str, task: str, attempt: int, *, lost: bool = False) -> None:
        """One pod of a step ends badly: it failed, or it was lost; another may follow."""
        phase, message = ("Error", "pod deleted") if lost else ("Failed", "Error (exit code 1)")
        self.workflows[run].pod_over(task, attempt, phase, message)
        self._report(run)

    def fail_driver(self, run: str, task: str, message: str = "") -> None:
        """A task's driver fails; what comes after it is omitted, other branches go on."""
        self._import_for(run, task)
        self.workflows[run].driver(task, "Failed", message)
        self.workflows[run].settle()
        self._report(run)

    def fail_importer(self, run: str, task: str) -> None:
        """An importer fails."""
        self.workflows[run].importing(task, "Failed")
        self.workflows[run].settle()
        self._report(run)

    def break_off(
        self, run: str, message: str = "Request entity too large: limit is 3145728"
    ) -> None:
        """The cluster takes the Workflow no more: it ends in Error, its nodes stay as they are."""
        self.workflows[run].break_off(message)
        self._report(run)
        self._enter(self.runs[run], "FAILED")

    def freeze(self, run: str) -> None:
        """Argo stores the nodes compressed: the task list stands still from now on."""
        self.rows[run].frozen = True

    def end(self, run: str, state: str = "SUCCEEDED") -> None:
        """The run ends; one that is being cancelled ends FAILED, its running steps killed."""
        found, workflow = self.runs[run], self.workflows[run]
        if found["state"] == "CANCELING":
            state = "FAILED"
        workflow.over(state.capitalize(), _PODS[0] if state == "FAILED" else "")
        self._report(run)
        self._enter(found, state)

    def _report(self, run: str) -> None:
        """The persistence agent looks at the Workflow."""
        rows = self.rows[run]
        rows.report(self.workflows[run], self.now())
        if details := rows.details():
            self.runs[run]["run_details"] = {"task_details": details}

    # what pods printed ----------------------------------------------------------------------------

    def pod_name(self, run: str, task: str, attempt: int = 0) -> str:
        """Return the name of a step's pod: Workflow, template and hash of the node."""
        workflow = self.workflows[run]
        known = workflow.tasks.get(task)
        template = "system-container-impl"
        if self.release.templates_per_task:
            template = f"{task}-{template}"
        elif known is None or known.retries:
            template = f"retry-{template}"
        node = workflow.id_of(workflow.pod_of(task, attempt))
        return f"{workflow.name}-{template}-{node.rpartition('-')[2]}"

    def printed(self, run: str, task: str, text: str, attempt: int = 0) -> None:
        """Keep what a pod printed, for the log endpoint, as long as the pod is there."""
        self._logs[run, self.pod_name(run, task, attempt)] = text

    def collect_pods(self, run: str) -> None:
        """Take away the pods of a run, and what they printed with them."""
        for key in [key for key in self._logs if key[0] == run]:
            del self._logs[key]

    def log(self, run: str, pod: str) -> str:
        """server/run_log_server.go: what a pod printed."""
        if run not in self.runs:
            raise RefusedError(404, f"Failed to read logs for run {run} due to run fetching error")
        if (run, pod) not in self._logs:
            raise RefusedError(
                400,
                f"Failed to read logs for run {run}: InternalServerError: Failed to get pod {pod}: "
                f'pods "{pod}" not found',
            )
        return self._logs[run, pod]


def stamp(moment: datetime) -> str:
    """Return a time as the API writes it."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
