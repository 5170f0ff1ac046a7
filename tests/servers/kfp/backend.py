"""What an API server of Kubeflow Pipelines keeps, and the rules by which it changes.

Follows what real servers of four versions answered (``releases.py``), and where no recording shows
it kubeflow/pipelines, the files below ``backend/src/apiserver/`` that are named. Runs do nothing by
themselves: a test says what becomes of their tasks.
"""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import yaml

from tests.servers.kfp.clock import LATE_MAX_S, Cron, lateness_s
from tests.servers.kfp.faults import RefusedError
from tests.servers.kfp.releases import NEWEST, RELEASES
from tests.servers.kfp.run_states import FINAL, RunStates, stamp
from tests.servers.kfp.task_rows import Resource
from tests.servers.kfp.workflow import fnv32a

_PAGE, _PAGE_MAX = 20, 200  # list/list.go: defaultPageSize, maxPageSize
_CONCURRENCY_MAX = 10
_FILTERED = {  # model/run.go, job.go, pipeline.go, experiment.go: APIToModelFieldMap
    "runs": {
        *("run_id", "id", "display_name", "name", "created_at", "finished_at", "description"),
        *("scheduled_at", "storage_state", "status", "namespace", "experiment_id", "state"),
        *("state_history", "runtime_details", "recurring_run_id", "pipeline_id"),
    },
    "recurring": {
        *("id", "recurring_run_id", "name", "display_name", "created_at", "updated_at"),
        "description",
    },
    "pipelines": {"id", "pipeline_id", "name", "display_name", "created_at", "description"},
    "versions": {"id", "pipeline_version_id", "name", "display_name", "created_at", "description"},
    "experiments": {"id", "experiment_id", "name", "display_name", "created_at", "description"},
}
_ALIASES = {"id": "{}_id", "name": "display_name"}


class Backend(RunStates):
    """The state of an installation.

    Args:
        namespaces: Those that the caller may use, in multi-user mode; None is single-user mode.
        version: Of Kubeflow Pipelines, one of ``releases.VERSIONS``.
    """

    def __init__(self, namespaces: Iterable[str] | None = None, version: str = NEWEST) -> None:
        super().__init__(RELEASES[version])
        self.namespaces = None if namespaces is None else set(namespaces)
        self.pipelines: dict[str, Resource] = {}
        self.versions: dict[str, Resource] = {}
        self.experiments: dict[str, Resource] = {}
        self.recurring: dict[str, Resource] = {}
        self._objects: dict[str, str] = {}
        self._ticked: datetime | None = None

    def health(self) -> Resource:
        """server/healthz_server.go; ``tag_name`` is what tells a server's version."""
        said: Resource = {
            "commit_sha": "emulated",
            "tag_name": self.release.version,
            "multi_user": self.namespaces is not None,
        }
        return said | ({"pipeline_store": "database"} if self.release.says_store else {})

    # namespaces --------------------------------------------------------------------------------

    def checked(self, namespace: str | None) -> str:
        """Return the namespace that counts (server/util.go, resource_manager.go)."""
        if self.namespaces is None:
            return ""
        if not namespace:
            raise RefusedError(
                400, "Invalid input error: A namespace cannot be empty in multi-user mode."
            )
        if namespace not in self.namespaces:
            raise RefusedError(
                403,
                f"Failed to authorize with API: PermissionDenied: User 'me' is not authorized with "
                f"reason: (request: &ResourceAttributes{{Namespace:{namespace},...}})",
            )
        return namespace

    # pipelines ---------------------------------------------------------------------------------

    def create_pipeline(self, body: Resource) -> Resource:
        name = body.get("name") or body.get("display_name")
        namespace = self.checked(body.get("namespace")) if body.get("namespace") else ""
        if not name:
            raise RefusedError(400, "Invalid input error: pipeline's name cannot be empty")
        if any((p["name"], p["namespace"]) == (name, namespace) for p in self.pipelines.values()):
            # storage/pipeline_store.go: a unique index over name and namespace
            raise RefusedError(
                409,
                f"Already exist error: Failed to create a new pipeline. The name {name} already "
                "exists. Please specify a new name",
            )
        made = {
            **body,
            "pipeline_id": str(uuid.uuid4()),
            "name": name,
            "display_name": body.get("display_name") or name,
            "namespace": namespace,
            "created_at": self.now(),
        }
        self.pipelines[made["pipeline_id"]] = made
        return made

    def upload_version(self, pipeline: str, name: str, text: bytes, query: Resource) -> Resource:
        """server/pipeline_upload_server.go; the file holds the spec and the platform's document."""
        self.pipeline(pipeline)
        try:
            documents = list(yaml.safe_load_all(text))
            spec = documents[0]
            valid = isinstance(spec, dict) and "pipelineInfo" in spec
        except (yaml.YAMLError, IndexError):
            valid, documents, spec = False, [], {}
        if not valid:
            raise RefusedError(400, "Failed to create a pipeline version: unknown template format")
        if any((v["pipeline_id"], v["name"]) == (pipeline, name) for v in self.versions.values()):
            raise RefusedError(409, "Failed to create a pipeline version")
        whole = {"pipeline_spec": spec, "platform_spec": documents[1]} if documents[1:] else spec
        made = {
            "pipeline_id": pipeline,
            "pipeline_version_id": str(uuid.uuid4()),
            "name": name,
            "display_name": query.get("display_name") or name,
            "description": query.get("description", ""),
            "created_at": self.now(),
            "pipeline_spec": whole,
        }
        self.versions[made["pipeline_version_id"]] = made
        return made

    def upload_pipeline(self, name: str, text: bytes, query: Resource) -> Resource:
        """The same as a page of the UI does it: a pipeline and its first version, called alike."""
        pipeline = self.create_pipeline({"name": name, "namespace": query.get("namespace", "")})
        self.upload_version(pipeline["pipeline_id"], name, text, query)
        return pipeline

    def pipeline(self, identifier: str) -> Resource:
        return _found(self.pipelines, identifier, "Pipeline")

    def pipeline_by_name(self, name: str, namespace: str | None) -> Resource:
        for pipeline in self.pipelines.values():
            if (pipeline["name"], pipeline["namespace"]) == (name, namespace or ""):
                return pipeline
        missing = f"Namespace/Pipeline {namespace or ''}/{name} not found"
        raise RefusedError(
            404,
            f"Failed to get a pipeline with name {name} and namespace {namespace or ''}. Check error "
            f"stack.: Failed to get a pipeline named {name} in namespace {namespace or ''}: "
            f"ResourceNotFoundError: {missing}",
            missing,
        )

    # experiments -------------------------------------------------------------------------------

    def create_experiment(self, body: Resource) -> Resource:
        namespace, name = self.checked(body.get("namespace")), body.get("display_name")
        if any(
            (e["display_name"], e["namespace"]) == (name, namespace)
            for e in self.experiments.values()
        ):
            raise RefusedError(
                409,
                f"Already exist error: The name {name} already exists. Please specify a new name.",
            )
        made = {
            **body,
            "experiment_id": str(uuid.uuid4()),
            "namespace": namespace,
            "created_at": self.now(),
            "storage_state": "AVAILABLE",
            "last_run_created_at": "1970-01-01T00:00:00Z",
        }
        self.experiments[made["experiment_id"]] = made
        return made

    # runs --------------------------------------------------------------------------------------

    def create_run(self, body: Resource) -> Resource:
        """server/run_server.go; neither names nor anything else make a second run impossible."""
        if not body.get("display_name"):
            raise RefusedError(400, "The run name is empty. Please specify a valid name")
        if body.get("experiment_id"):
            experiment = _found(self.experiments, body["experiment_id"], "Experiment")
        else:
            experiment = self._default_experiment(body.get("namespace"))
        return self.open_run(body, experiment, self.spec_of(body))

    def _default_experiment(self, namespace: str | None) -> Resource:
        """resource_manager.go, CreateDefaultExperiment: what a page of the UI takes."""
        for experiment in self.experiments.values():
            if experiment["display_name"] == "Default":
                return experiment
        return self.create_experiment({"display_name": "Default", "namespace": namespace})

    def spec_of(self, body: Resource) -> Resource:
        """Return the pipeline spec that a run or a recurring run is made of."""
        whole = self.source_of(body)["pipeline_spec"]
        return whole.get("pipeline_spec", whole)

    def source_of(self, body: Resource) -> Resource:
        """Return the version that a run or a recurring run is made of."""
        reference = body.get("pipeline_version_reference") or {}
        if not reference.get("pipeline_version_id"):
            raise RefusedError(400, "Invalid input error: a pipeline source is missing")
        return _found(self.versions, reference["pipeline_version_id"], "PipelineVersion")

    # recurring runs ----------------------------------------------------------------------------

    def create_recurring(self, body: Resource) -> Resource:
        """server/recurring_run_server.go: validateCreateRecurringRunRequest; names are not unique."""
        self.source_of(body)
        _found(self.experiments, body.get("experiment_id", ""), "Experiment")
        concurrency = int(body.get("max_concurrency", 0))
        if not 1 <= concurrency <= _CONCURRENCY_MAX:
            raise RefusedError(
                400,
                "Invalid input error: The max concurrency of the recurring run is out of range. "
                f"Support 1-10. Received {concurrency}.",
            )
        fields = body.get("trigger", {}).get("cron_schedule", {}).get("cron", "").split()
        if len(fields) not in (5, 6):  # robfig/cron 1.2: the day of the week may be left out
            raise RefusedError(
                400,
                "Invalid input error: Schedule cron is not a supported format"
                f"(https://godoc.org/github.com/robfig/cron). Error: Expected 5 to 6 fields, "
                f"found {len(fields)}",
            )
        made = {
            **body,
            "recurring_run_id": str(uuid.uuid4()),
            "max_concurrency": str(concurrency),
            "created_at": self.now(),
            "updated_at": self.now(),
            "status": "DISABLED" if body.get("mode") == "DISABLE" else "ENABLED",
        }
        if self.namespaces is None:
            made["namespace"] = "kubeflow"
        self.recurring[made["recurring_run_id"]] = made
        # The Kubernetes object of the schedule, after which its runs are called.
        plain = re.sub(r"[^a-z0-9]", "", str(body.get("display_name", "")).lower())
        self._objects[made["recurring_run_id"]] = f"{plain}{uuid.uuid4().hex[:5]}"
        return made

    def switch(self, identifier: str, status: str) -> None:
        found = _found(self.recurring, identifier, "RecurringRun")
        found["status"], found["updated_at"] = status, self.now()

    def delete_recurring(self, identifier: str) -> None:
        _found(self.recurring, identifier, "RecurringRun")
        del self.recurring[identifier]

    def fire(self, identifier: str, scheduled_at: str) -> Resource:
        """A run is made for one time of a schedule (scheduled_workflow.go, NextResourceName)."""
        source = self.recurring[identifier]
        name = self._objects[identifier]
        index = 1 + sum(run.get("recurring_run_id") == identifier for run in self.runs.values())
        body = {
            "display_name": f"{name}-{index}-{fnv32a(f'{name}-{index}')}",
            "pipeline_version_reference": source["pipeline_version_reference"],
            "runtime_config": source["runtime_config"],
            "service_account": source.get("service_account"),
            "recurring_run_id": identifier,
            "scheduled_at": scheduled_at,
        }
        experiment = self.experiments[source["experiment_id"]]
        return self.open_run(body, experiment, self.spec_of(body))

    def tick(self, moment: datetime) -> list[Resource]:
        """The controller's clock shows a moment: runs whose time has come, and its delay, are made.

        Args:
            moment: Not before that of the last call; of the first call on times count.

        Returns:
            The new runs.
        """
        last, self._ticked = self._ticked or moment, moment
        self._clock = max(self._clock, moment)
        made: list[Resource] = []
        for identifier, row in list(self.recurring.items()):
            cron = Cron(row["trigger"]["cron_schedule"]["cron"])
            for due in cron.times(last - timedelta(seconds=LATE_MAX_S), moment):
                late = timedelta(seconds=lateness_s(self._objects[identifier], due))
                active = [
                    run
                    for run in self.runs.values()
                    if run.get("recurring_run_id") == identifier and run["state"] not in FINAL
                ]
                room = len(active) < int(row["max_concurrency"])
                if row["status"] == "ENABLED" and last < due + late <= moment and room:
                    made.append(self.fire(identifier, stamp(due)))
        return made

    # lists -------------------------------------------------------------------------------------

    def listing(
        self, table: str, query: dict[str, str], wanted: Callable[[Resource], bool]
    ) -> tuple[list[Resource], int, str]:
        """Return a page, the count of all and the token of the next page (list/list.go)."""
        text = query.get("filter", "")
        offset = 0
        if token := query.get("page_token"):
            try:
                state = json.loads(base64.b64decode(token))
            except ValueError:
                raise RefusedError(400, "Invalid input error: Invalid package token.") from None
            if text and text != state["filter"]:
                raise RefusedError(
                    400, "Invalid input error: page token does not match the supplied filter"
                )
            offset, text = state["offset"], state["filter"]
        size = min(int(query.get("page_size") or _PAGE), _PAGE_MAX)
        rows = [row for row in getattr(self, table).values() if wanted(row)]
        rows = [row for row in rows if matches(table, row, text)]
        key, _, direction = query.get("sort_by", "created_at asc").partition(" ")
        rows.sort(key=lambda row: str(row.get(key, "")), reverse=direction == "desc")
        page, rest = rows[offset : offset + size], rows[offset + size :]
        following = {"offset": offset + size, "filter": text}
        token = base64.b64encode(json.dumps(following).encode()).decode() if rest else ""
        return page, len(rows), token


def matches(table: str, row: Resource, text: str) -> bool:
    """Apply a filter (filter/filter.go): all predicates hold; strings compare without case."""
    try:
        predicates = json.loads(text or "{}").get("predicates", [])
    except ValueError:
        raise RefusedError(400, "Invalid input error: failed to parse a filter") from None
    for predicate in predicates:
        key = predicate.get("key", "")
        if key not in _FILTERED[table]:
            raise RefusedError(
                400, f'Invalid input error: no support for filtering on unrecognized field "{key}"'
            )
        single = {"runs": "run", "recurring": "recurring_run"}.get(table, table[:-1])
        field = _ALIASES.get(key, key).format(single)
        value = str(row.get(field, "")).lower()
        wanted = str(predicate.get("string_value", "")).lower()
        match predicate.get("operation"):
            case "EQUALS":
                fits = value == wanted
            case "NOT_EQUALS":
                fits = value != wanted
            case "IS_SUBSTRING":
                fits = wanted in value
            case "IN":
                given = predicate.get("string_values", {}).get("values", [])
                fits = value in [item.lower() for item in given]
            case other:
                raise RefusedError(
                    400, f"Invalid input error: invalid predicate operation: {other}"
                )
        if not fits:
            return False
    return True


def _found(table: dict[str, Resource], identifier: str, kind: str) -> Resource:
    if identifier not in table:
        raise RefusedError(404, f"ResourceNotFoundError: {kind} {identifier} not found.")
    return table[identifier]
