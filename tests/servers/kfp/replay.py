"""A server that answers what a real one answered, whoever asks.

Requests are told apart by method and path alone. Of several recorded answers to the same request
the first is given first, and the last from then on. What a client chooses itself (the names of
pipeline versions and runs) stands in the answers in place of what was chosen in the recording.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.servers.kfp import recordings
from tests.servers.kfp.server import uploaded_file
from tests.servers.serving import Answer, Server

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAMED = re.compile(r"(/pipelines/names/)[^/?]+")


def operation_of(method: str, target: str) -> str:
    """Return what a request is about, without what differs from run to run."""
    path = urlsplit(target).path
    return f"{method} {_NAMED.sub('/pipelines/names/NAME', _UUID.sub('ID', path))}"


class ReplayServer(Server):
    """Replays one case of one version.

    Args:
        version: Of Kubeflow Pipelines.
        case: Name of the recording.
        start: How many exchanges went before, in a recording of several commands.

    Attributes:
        requests: How often each operation was asked for.
        bodies: What was sent, with its operation.
        run: Identifier of the recorded run, where there is one.
        uploaded: The pipeline that was uploaded.
        started: Called when a run is created, before that is answered.
    """

    def __init__(self, version: str, case: str, start: int = 0) -> None:
        super().__init__()
        self.requests: Counter[str] = Counter()
        self.bodies: list[tuple[str, dict[str, Any]]] = []
        self._answers: dict[str, list[recordings.Exchange]] = {}
        self._chosen: dict[str, str] = {}
        self._recorded: dict[str, str] = {}
        self.run = ""
        self.uploaded = b""
        self.started: Callable[[], None] = lambda: None
        for number, exchange in enumerate(recordings.exchanges(version, case)):
            operation = operation_of(exchange["method"], exchange["path"])
            if number >= start:
                self._answers.setdefault(operation, []).append(exchange)
            self._remember(operation, exchange)
        self._lock = threading.Lock()

    def _remember(self, operation: str, exchange: recordings.Exchange) -> None:
        reply = exchange["reply"]
        if operation.endswith("/runs") and exchange["method"] == "POST":
            self._recorded["run"] = exchange["body"]["display_name"]
            self.run = reply.get("run_id", "")
        if operation.endswith("upload_version"):
            self._recorded["version"] = reply["display_name"]
        if operation.endswith("/recurringruns") and exchange["method"] == "POST":
            self._recorded.setdefault("revision", _revision(exchange["body"]))

    def answer(
        self, method: str, target: str, headers: dict[str, str], read: Callable[[float], bytes]
    ) -> Answer:
        """See ``Server``."""
        body, operation = read(1.0), operation_of(method, target)
        with self._lock:
            self.requests[operation] += 1
            self._learn(operation, target, headers, body)
            left = self._answers.get(operation)
            if not left:
                return Answer.of({"code": 5, "message": "Not Found", "details": []}, 404)
            exchange = left.pop(0) if len(left) > 1 else left[0]
        text = json.dumps(exchange["reply"])
        for what, chosen in self._chosen.items():
            if what in self._recorded:
                text = text.replace(self._recorded[what], chosen)
        kind = (("Content-Type", "application/json"),)
        return Answer(exchange["status"], text.encode(), kind)

    def _learn(self, operation: str, target: str, headers: dict[str, str], body: bytes) -> None:
        if operation.endswith("upload_version"):
            self._chosen["version"] = dict(parse_qsl(urlsplit(target).query))["name"]
            self.uploaded = uploaded_file(headers, body)
        if "json" in headers.get("content-type", "") and body:
            sent = json.loads(body)
            self.bodies.append((operation, sent))
            if operation == "POST /apis/v2beta1/runs":
                self._chosen["run"] = sent["display_name"]
                self.started()
            if operation == "POST /apis/v2beta1/recurringruns":
                self._chosen["revision"] = _revision(sent)


def _revision(body: dict[str, Any]) -> str:
    """Return what tells one version of a schedule from the next."""
    return body["description"].rpartition(" ")[2]
