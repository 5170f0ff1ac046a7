"""Vertex AI's pipeline jobs for tests: the part of the REST API v1 that a client needs.

After the service's own description (googleapis, ``google/cloud/aiplatform/v1``: ``pipeline_job``,
``pipeline_service``, ``schedule``): bodies are held against the fields that it names, and errors
have the shape of Google's. Nobody has compared it with the service itself. Beside it is a token
endpoint, so that real credentials, a service account's key, are really exchanged for tokens.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from tests.servers.serving import Answer, ConnectionCutError, Server

Json = dict[str, Any]
PROJECT, NUMBER, LOCATION = "my-project", "123456789012", "europe-west4"

_PARENT = r"/v1/projects/([^/]+)/locations/([^/]+)"
_ROUTES = (
    ("POST", rf"{_PARENT}/pipelineJobs", "create"),
    ("GET", rf"{_PARENT}/pipelineJobs", "list"),
    ("GET", rf"{_PARENT}/pipelineJobs/([^/:]+)", "get"),
    ("POST", rf"{_PARENT}/pipelineJobs/([^/:]+):cancel", "cancel"),
    ("POST", rf"{_PARENT}/schedules", "create_schedule"),
    ("POST", r"/token", "token"),
)
_JOB_FIELDS = {
    "displayName", "pipelineSpec", "labels", "runtimeConfig", "encryptionSpec", "serviceAccount",
    "network", "reservedIpRanges", "pscInterfaceConfig", "templateUri", "preflightValidations",
}  # fmt: skip
_RUNTIME_FIELDS = {"parameters", "gcsOutputDirectory", "parameterValues", "failurePolicy", "inputArtifacts"}  # fmt: skip
_SCHEDULE_FIELDS = {
    "displayName", "cron", "createPipelineJobRequest", "startTime", "endTime", "maxRunCount",
    "maxConcurrentRunCount", "allowQueueing",
}  # fmt: skip
_STATUS = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    409: "ALREADY_EXISTS", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE",
}  # fmt: skip
_MESSAGES = {
    401: "Request had invalid authentication credentials. Expected OAuth 2 access token, login "
    "cookie or other valid authentication credential.",
    403: "Permission 'aiplatform.pipelineJobs.create' denied on resource "
    "'//aiplatform.googleapis.com/projects/my-project/locations/europe-west4' (or it may not exist).",
    429: "Quota exceeded for quota metric 'Pipeline Service API requests'",
    500: "Internal error encountered.",
    503: "The service is currently unavailable.",
}


class RefusedError(Exception):
    """A request is answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class VertexServer(Server):
    """The server."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: dict[str, Json] = {}
        self.schedules: list[Json] = []
        self.requests: Counter[str] = Counter()
        self.after: Callable[[str], None] = lambda _: None
        """Called after each request that was answered: a test moves jobs on here."""
        self.tokens: set[str] = set()
        self._planned: deque[tuple[str, str]] = deque()
        self._lock = threading.RLock()

    def credentials(self, path: Path) -> Path:
        """Write the key of a service account whose tokens this server gives."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        key = rsa.generate_private_key(65537, 2048).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        account: Json = {
            "type": "service_account", "project_id": PROJECT, "private_key_id": "1",
            "private_key": key.decode(), "client_id": "1", "token_uri": f"{self.url}/token",
            "client_email": f"me@{PROJECT}.iam.gserviceaccount.com",
        }  # fmt: skip
        path.write_text(json.dumps(account))
        return path

    def plan(self, operation: str, *kinds: str) -> None:
        """Fail the next requests of this operation: a status, ``reset`` or ``lost``.

        ``lost`` does the work and then cuts the connection; a status may be followed by a message.
        """
        self._planned.extend((operation, kind) for kind in kinds)

    def answer(
        self, method: str, target: str, headers: dict[str, str], read: Callable[[float], bytes]
    ) -> Answer:
        """See ``Server``."""
        body = read(1.0)
        path, _, query = target.partition("?")
        found = _route(method, unquote(path))
        if found is None:
            return Answer(
                404, b"<html>Error 404 (Not Found)!!1</html>", (("Content-Type", "text/html"),)
            )
        operation, parts = found
        with self._lock:
            self.requests[operation] += 1
            kind = self._fault(operation)
            if kind == "reset":
                raise ConnectionCutError
            try:
                _refuse_as_planned(kind)
                made = self._answered(operation, parts, dict(parse_qsl(query)), headers, body)
            except RefusedError as refused:
                error = {
                    "code": refused.status, "message": refused.message,
                    "status": _STATUS[refused.status],
                }  # fmt: skip
                return Answer.of({"error": error}, refused.status)
            if kind == "lost":
                raise ConnectionCutError
            answer = Answer.of(made)
            self.after(operation)
            return answer

    def _fault(self, operation: str) -> str | None:
        for index, (planned, kind) in enumerate(self._planned):
            if planned in (operation, "*"):
                del self._planned[index]
                return kind
        return None

    def _answered(
        self, operation: str, parts: tuple[str, ...], query: Mapping[str, str],
        headers: Mapping[str, str], body: bytes,
    ) -> Json:  # fmt: skip
        if operation == "token":
            token = f"ya29.{len(self.tokens)}"
            self.tokens.add(token)
            return {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}
        if headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            raise RefusedError(401, _MESSAGES[401])
        project, location, *rest = parts
        if project != PROJECT or location != LOCATION:
            raise RefusedError(
                404, f"The resource projects/{project}/locations/{location} was not found."
            )
        if operation == "list":
            return self._list(query)
        if operation in ("get", "cancel"):
            job = self.jobs.get(rest[0])
            if job is None:
                raise RefusedError(404, f"The PipelineJob {rest[0]} does not exist.")
            return self._cancel(job) if operation == "cancel" else job
        given: Json = json.loads(body)
        if operation == "create_schedule":
            return self._create_schedule(given)
        return self.create(query.get("pipelineJobId", ""), given)

    def create(self, identifier: str, given: Json, schedule: str = "") -> Json:
        """Create a job, after what the description of the API wants of one."""
        if not re.fullmatch(r"[a-z][-a-z0-9]{0,127}", identifier):
            raise RefusedError(400, f"The pipeline job id {identifier!r} is invalid.")
        if identifier in self.jobs:
            raise RefusedError(409, f"The PipelineJob {identifier} already exists.")
        _check_job(given)
        moment = _now()
        self.jobs[identifier] = {
            "name": f"projects/{NUMBER}/locations/{LOCATION}/pipelineJobs/{identifier}",
            **given,
            "state": "PIPELINE_STATE_PENDING", "createTime": moment, "updateTime": moment,
            **({"scheduleName": schedule} if schedule else {}),
        }  # fmt: skip
        return self.jobs[identifier]

    def _list(self, query: Mapping[str, str]) -> Json:
        wanted = re.fullmatch(r"labels\.([a-z0-9_-]+):\*", query.get("filter", "labels.none:*"))
        if wanted is None:
            raise RefusedError(400, f"Invalid filter {query['filter']}")
        rows = [job for job in self.jobs.values() if wanted[1] in job.get("labels", {})]
        rows.sort(key=lambda job: job["createTime"], reverse=query.get("orderBy") != "create_time")
        start = int(query.get("pageToken") or 0)
        end = start + min(int(query.get("pageSize") or 100), 100)
        listed = [{k: v for k, v in job.items() if k != "jobDetail"} for job in rows[start:end]]
        return {"pipelineJobs": listed, **({"nextPageToken": str(end)} if end < len(rows) else {})}

    def _cancel(self, job: Json) -> Json:
        if job["state"] in ("PIPELINE_STATE_SUCCEEDED", "PIPELINE_STATE_FAILED"):
            raise RefusedError(400, "The PipelineJob is in a final state.")
        job["state"] = "PIPELINE_STATE_CANCELLING"
        return {}

    def _create_schedule(self, given: Json) -> Json:
        _fields(given, _SCHEDULE_FIELDS, "schedule")
        _zone, *fields = re.fullmatch(r"(?:(?:TZ|CRON_TZ)=(\S+) )?(.*)", given["cron"]).groups()  # type: ignore[union-attr]
        if len(fields[0].split()) != 5:
            raise RefusedError(400, f"Invalid cron {given['cron']!r}")
        request = given["createPipelineJobRequest"]
        _fields(request, {"parent", "pipelineJob", "pipelineJobId"}, "createPipelineJobRequest")
        _check_job(request["pipelineJob"])
        if not given.get("maxConcurrentRunCount"):
            raise RefusedError(400, "max_concurrent_run_count must be positive")
        name = f"projects/{NUMBER}/locations/{LOCATION}/schedules/{len(self.schedules) + 1}"
        self.schedules.append({"name": name, "state": "ACTIVE", **given})
        return self.schedules[-1]

    def fire(self, schedule: Json) -> str:
        """Let a schedule create its job; returns the job's identifier."""
        job = schedule["createPipelineJobRequest"]["pipelineJob"]
        name = job["pipelineSpec"]["pipelineInfo"]["name"]
        identifier = f"{name}-{datetime.now(UTC):%Y%m%d%H%M%S}{len(self.jobs)}"
        self.create(identifier, job, schedule["name"])
        return identifier


def _refuse_as_planned(kind: str | None) -> None:
    if kind and kind[:3].isdigit():
        status = int(kind[:3])
        raise RefusedError(status, kind[3:].strip() or _MESSAGES[status])


def _check_job(job: Json) -> None:
    _fields(job, _JOB_FIELDS, "pipeline_job")
    runtime = job.get("runtimeConfig") or {}
    _fields(runtime, _RUNTIME_FIELDS, "pipeline_job.runtime_config")
    if not runtime.get("gcsOutputDirectory", "").startswith("gs://"):
        raise RefusedError(400, "runtime_config.gcs_output_directory must be a Cloud Storage path")
    if len(job.get("displayName", "")) > 128:
        raise RefusedError(400, "display_name is longer than 128 characters")
    for key, value in job.get("labels", {}).items():
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,63}", key) or not re.fullmatch(
            r"[a-z0-9_-]{0,63}", value
        ):
            raise RefusedError(400, f"Invalid label {key}={value}")
    spec = job.get("pipelineSpec") or {}
    if not spec.get("schemaVersion", "").startswith("2.") or "dag" not in spec.get("root", {}):
        raise RefusedError(400, "pipeline_spec is invalid")
    known = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    for name in runtime.get("parameterValues", {}):
        if name not in known:
            raise RefusedError(400, f"parameter {name} is not defined in the pipeline")


def _fields(given: Json, known: set[str], where: str) -> None:
    for name in given:
        if name not in known:
            raise RefusedError(
                400,
                f"Invalid JSON payload received. Unknown name \"{name}\" at '{where}': Cannot find field.",
            )


def _route(method: str, path: str) -> tuple[str, tuple[str, ...]] | None:
    for verb, pattern, operation in _ROUTES:
        if verb == method and (found := re.fullmatch(pattern, path)):
            return operation, found.groups()
    return None


def _now() -> str:
    """The time as the API writes it, with nanoseconds; no two are equal."""
    time.sleep(0.000_01)
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}000Z"
