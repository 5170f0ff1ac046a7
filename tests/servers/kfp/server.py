"""An API server of Kubeflow Pipelines for tests: the part of v2beta1 that a client needs.

Bodies are held against the models of kfp-server-api, errors have the shape that grpc-gateway gives
them, and it fails on request. ``tests.servers.kfp.backend`` says what it keeps and by which rules.
"""

from __future__ import annotations

import email
import json
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl, unquote

from tests.servers.kfp.backend import Backend
from tests.servers.kfp.faults import RefusedError
from tests.servers.kfp.releases import NEWEST
from tests.servers.kfp.schema import fault
from tests.servers.kfp.task_rows import Resource
from tests.servers.serving import Answer, ConnectionCutError, Server

_V2, _V1 = "/apis/v2beta1", "/apis/v1alpha1"
_LOG = re.compile(_V1 + r"/runs/([^/]+)/nodes/([^/]+)/log")
_ROUTES: tuple[tuple[str, str, str], ...] = (
    ("GET", r"/healthz", "healthz"),
    ("POST", r"/pipelines", "create_pipeline"),
    ("POST", r"/pipelines/upload_version", "upload_version"),
    ("POST", r"/pipelines/upload", "upload_pipeline"),
    ("GET", r"/pipelines", "list_pipelines"),
    ("GET", r"/pipelines/names/([^/]+)", "pipeline_by_name"),
    ("GET", r"/pipelines/([^/]+)", "get_pipeline"),
    ("GET", r"/pipelines/([^/]+)/versions", "list_versions"),
    ("GET", r"/pipelines/([^/]+)/versions/([^/]+)", "get_version"),
    ("POST", r"/experiments", "create_experiment"),
    ("GET", r"/experiments", "list_experiments"),
    ("POST", r"/runs", "create_run"),
    ("GET", r"/runs", "list_runs"),
    ("GET", r"/runs/([^/:]+)", "get_run"),
    ("POST", r"/runs/([^/:]+):terminate", "terminate_run"),
    ("POST", r"/runs/([^/:]+):retry", "retry_run"),
    ("DELETE", r"/runs/([^/:]+)", "delete_run"),
    ("POST", r"/recurringruns", "create_recurring_run"),
    ("GET", r"/recurringruns", "list_recurring_runs"),
    ("GET", r"/recurringruns/([^/:]+)", "get_recurring_run"),
    ("POST", r"/recurringruns/([^/:]+):enable", "enable_recurring_run"),
    ("POST", r"/recurringruns/([^/:]+):disable", "disable_recurring_run"),
    ("DELETE", r"/recurringruns/([^/:]+)", "delete_recurring_run"),
)
_BODIES = {
    "create_pipeline": "V2beta1Pipeline",
    "create_experiment": "V2beta1Experiment",
    "create_run": "V2beta1Run",
    "create_recurring_run": "V2beta1RecurringRun",
}
_KINDS = {"pipeline": "pipelines", "by_name": "pipelines", "version": "versions"}
"""What an operation's name ends with, and the table that its answer is from."""

_MESSAGES = {
    401: "Unauthenticated: Request header error: there is no user identity header.",
    403: "PermissionDenied: User 'me' is not authorized with reason: RBAC: access denied",
    404: "ResourceNotFoundError: it is not there.",
    409: "Already exist error: it is there.",
    429: "ResourceExhausted: quota exceeded: count/workflows.argoproj.io",
    500: "Internal Server Error: dial tcp: connection refused",
    503: "upstream connect error or disconnect/reset before headers",
}


class KfpServer(Server):
    """The server.

    Args:
        namespaces: Those that the caller may use; None is an installation for one user.
        token: The bearer token that every request must carry.
        api: The version that it speaks; ``v1beta1`` knows none of the paths, ``page`` shows a page
            for people at each of them, and ``login`` leads to one.
        version: Of Kubeflow Pipelines, one of ``releases.VERSIONS``.
    """

    def __init__(
        self,
        namespaces: Iterable[str] | None = None,
        token: str | None = None,
        api: str = "v2beta1",
        version: str = NEWEST,
    ) -> None:
        super().__init__()
        self.backend = Backend(namespaces, version)
        self.token = token
        self.api = api
        self.requests: Counter[str] = Counter()
        self.bodies: list[tuple[str, Resource]] = []
        self.after: Callable[[str], None] = lambda _: None
        """Called after each request that was answered: a test moves runs on here."""
        self._planned: deque[tuple[str, str]] = deque()
        self._always: dict[str, str] = {}
        self._lock = threading.RLock()

    def plan(self, operation: str, *kinds: str) -> None:
        """Fail the next requests of this operation: a status, ``reset``, ``lost`` or ``stall``.

        ``lost`` does the work and then cuts the connection; ``stall`` never answers.
        """
        self._planned.extend((operation, kind) for kind in kinds)

    def always(self, operation: str, kind: str) -> None:
        """Fail every request of this operation, or of all with ``*``."""
        self._always[operation] = kind

    def recover(self) -> None:
        """Fail nothing from now on."""
        self._planned.clear()
        self._always.clear()

    def answer(
        self, method: str, target: str, headers: dict[str, str], read: Callable[[float], bytes]
    ) -> Answer:
        """See ``Server``."""
        body = read(1.0)
        path, _, query = target.partition("?")
        found = _route(method, path.removeprefix(_V2)) if path.startswith(_V2) else None
        if self.api == "page":
            return Answer(200, b"<html>Welcome</html>", (("Content-Type", "text/html"),))
        if self.api == "login":
            return Answer(302, b"", (("Location", "/dex/auth"),))
        if self.api == "v2beta1" and method == "GET" and (asked := _LOG.fullmatch(path)):
            return self._log(unquote(asked[1]), unquote(asked[2]), headers)
        if self.api != "v2beta1" or found is None:
            return self._refused(RefusedError(404, "Not Found"))
        operation, parts = found
        with self._lock:
            self.requests[operation] += 1
            kind = self._fault(operation)
            if kind == "stall":
                time.sleep(5)
            if kind in ("stall", "reset"):
                raise ConnectionCutError
            try:
                self._admit(kind, headers)
                given = dict(parse_qsl(query, keep_blank_values=True))
                made = self._answered(operation, parts, given, headers, body)
            except RefusedError as refused:
                return self._refused(refused)
            if kind == "lost":
                raise ConnectionCutError
            answer = Answer.of(made)
            self.after(operation)
            return answer

    def _log(self, run: str, pod: str, headers: dict[str, str]) -> Answer:
        """server/run_log_server.go: the status is 200 whatever follows, and then the error (read)."""
        with self._lock:
            self.requests["log"] += 1
            try:
                self._admit(self._fault("log"), headers)
                text = self.backend.log(run, pod)
            except RefusedError as refused:
                if refused.status == 401 or self._always.get("log"):
                    return self._refused(refused)
                return Answer.of(
                    {"error_message": refused.message, "error_details": refused.message}
                )
        return Answer(200, text.encode(), (("Content-Type", "text/plain"),))

    def _refused(self, refused: RefusedError) -> Answer:
        """grpc-gateway: the status, its text, and once more what is wrong inside ``details``."""
        kind = "type.googleapis.com/google.rpc.Status"
        details = [{"@type": kind, "code": refused.code, "message": refused.detail}]
        error = {"error": refused.message} if self.backend.release.error_key else {}
        body = {**error, "code": refused.code, "message": refused.message, "details": details}
        return Answer.of(body, refused.status)

    def _admit(self, kind: str | None, headers: dict[str, str]) -> None:
        """Refuse what is planned to be, and callers without the token."""
        if kind and kind.isdigit():
            raise RefusedError(int(kind), _MESSAGES[int(kind)])
        if self.token and headers.get("authorization") != f"Bearer {self.token}":
            raise RefusedError(401, _MESSAGES[401])

    def _fault(self, operation: str) -> str | None:
        for index, (planned, kind) in enumerate(self._planned):
            if planned == operation:
                del self._planned[index]
                return kind
        return self._always.get(operation) or self._always.get("*")

    def _answered(
        self,
        operation: str,
        parts: tuple[str, ...],
        query: dict[str, str],
        headers: dict[str, str],
        body: bytes,
    ) -> Any:
        backend = self.backend
        message: Resource = {}
        if operation in _BODIES:
            message = json.loads(body)
            if wrong := fault(message, _BODIES[operation]):
                raise RefusedError(400, wrong)
            self.bodies.append((operation, message))
        if operation == "healthz":
            return backend.health()
        if operation == "upload_version":
            text = uploaded_file(headers, body)
            made = backend.upload_version(query["pipelineid"], query.get("name", ""), text, query)
            return self._shown(made, "versions")
        if operation == "upload_pipeline":
            made = backend.upload_pipeline(
                query.get("name", ""), uploaded_file(headers, body), query
            )
            return self._shown(made, "pipelines")
        if operation.startswith("list_"):
            return self._listed(operation.removeprefix("list_"), parts, query)
        actions: dict[str, Callable[[], Any]] = {
            "create_pipeline": lambda: backend.create_pipeline(message),
            "pipeline_by_name": lambda: backend.pipeline_by_name(parts[0], query.get("namespace")),
            "get_pipeline": lambda: backend.pipeline(parts[0]),
            "get_version": lambda: _get(backend.versions, parts[1], "PipelineVersion"),
            "create_experiment": lambda: backend.create_experiment(message),
            "create_run": lambda: backend.create_run(message),
            "get_run": lambda: backend.run(parts[0]),
            "retry_run": lambda: backend.retry(parts[0]),
            "delete_run": lambda: backend.delete_run(parts[0]),
            "terminate_run": lambda: backend.terminate(parts[0]),
            "create_recurring_run": lambda: backend.create_recurring(message),
            "get_recurring_run": lambda: _get(backend.recurring, parts[0], "RecurringRun"),
            "enable_recurring_run": lambda: backend.switch(parts[0], "ENABLED"),
            "disable_recurring_run": lambda: backend.switch(parts[0], "DISABLED"),
            "delete_recurring_run": lambda: backend.delete_recurring(parts[0]),
        }
        kind = _KINDS.get(operation.partition("_")[2], "")
        return self._shown(actions[operation]() or {}, kind)

    def _shown(self, row: Resource, kind: str) -> Resource:
        """Return a row as JSON of a message: what is empty is left out, as is what came later."""
        old = kind in ("pipelines", "versions") and not self.backend.release.names
        return {
            key: value
            for key, value in row.items()
            if (value or key == "plugins_output") and not (old and key == "name")
        }

    def _listed(self, what: str, parts: tuple[str, ...], query: dict[str, str]) -> Resource:
        backend = self.backend
        namespace = "" if what == "versions" else query.get("namespace", "")
        if what not in ("versions", "pipelines"):
            namespace = backend.checked(namespace) if not query.get("experiment_id") else ""
        table = {"recurring_runs": "recurring"}.get(what, what)
        experiment = query.get("experiment_id")

        def wanted(row: Resource) -> bool:
            if what == "versions":
                return row["pipeline_id"] == parts[0]
            if experiment:
                return row.get("experiment_id") == experiment
            holder = row
            if what in ("runs", "recurring_runs"):
                holder = backend.experiments[row["experiment_id"]]
            return holder.get("namespace", "") == namespace

        rows, total, token = backend.listing(table, query, wanted)
        key = {"versions": "pipeline_versions", "recurring_runs": "recurringRuns"}.get(what, what)
        shown = [self._shown(row, what) for row in rows]
        return self._shown({key: shown, "total_size": total, "next_page_token": token}, "")


def _get(table: dict[str, Resource], identifier: str, kind: str) -> Resource:
    if identifier not in table:
        raise RefusedError(404, f"ResourceNotFoundError: {kind} {identifier} not found.")
    return table[identifier]


def _route(method: str, path: str) -> tuple[str, tuple[str, ...]] | None:
    for verb, pattern, operation in _ROUTES:
        found = re.fullmatch(pattern, path)
        if verb == method and found:
            return operation, tuple(unquote(part) for part in found.groups())
    return None


def uploaded_file(headers: dict[str, str], body: bytes) -> bytes:
    """Return the file of a multipart/form-data body."""
    head = f"Content-Type: {headers['content-type']}\r\n\r\n".encode()
    for part in email.message_from_bytes(head + body).walk():
        if part.get_param("name", header="content-disposition") == "uploadfile":
            payload = part.get_payload(decode=True)
            assert isinstance(payload, bytes)
            return payload
    raise RefusedError(400, "Failed to read pipeline from file")
