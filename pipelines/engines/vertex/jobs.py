"""The pipeline jobs of a project: created once, looked at, listed, cancelled.

The API is asked by REST (https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.
locations.pipelineJobs) with Google's own library for credentials alone: the SDK of Vertex AI is a
hundred megabytes of other things.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from typing import Any

import requests
from google.auth import exceptions as auth
from google.auth.transport.requests import AuthorizedSession

from components.contract.errors import UserError
from pipelines.engines.vertex.faults import AnswerError, fault_of, may_pass
from pipelines.engines.vertex.pipeline_job import LABEL, PipelineJob
from pipelines.engines.vertex.place import VertexPlace
from pipelines.stores.credentials import check_certificates, find_credentials
from pipelines.stores.retrying import RetryPolicy

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_PAGE = 100
_LONGEST_WAIT_S = 8.0
_CONFLICT, _NOT_FOUND = 409, 404


class PipelineJobs:
    """The jobs of one place, asked for with the credentials of this machine.

    Args:
        place: Where they are.
        policy: How long requests are tried.

    Raises:
        UserError: There are no credentials or certificates that can be used.
    """

    def __init__(self, place: VertexPlace, policy: RetryPolicy | None = None) -> None:
        self.place = place
        self.policy = policy or RetryPolicy(deadline_s=60.0)
        check_certificates()
        self._session: Any = AuthorizedSession(find_credentials(place.host, _SCOPES))
        self._jobs = f"{place.host}/v1/{place.parent}/pipelineJobs"

    def create(self, identifier: str, body: Mapping[str, Any]) -> None:
        """Start a job, once: one of that identifier that is there already is this one.

        Args:
            identifier: Unique among all launches, so whoever has it created this job: an attempt
                whose answer was lost.
            body: The job.

        Raises:
            UserError: It is refused.
        """
        try:
            self._ask("POST", self._jobs, {"pipelineJobId": identifier}, body)
        except AnswerError as error:
            if error.status != _CONFLICT:
                raise self._fault(error) from error

    def get(self, identifier: str) -> PipelineJob:
        """Return a job with its tasks.

        Raises:
            LookupError: There is none.
            UserError: It cannot be asked for.
        """
        try:
            return self._read(self._ask("GET", f"{self._jobs}/{identifier}"))
        except AnswerError as error:
            if error.status == _NOT_FOUND:
                raise LookupError(identifier) from error
            raise self._fault(error) from error

    def ours(self) -> Iterator[PipelineJob]:
        """Yield every job of slimline, the oldest first, without tasks.

        Raises:
            UserError: They cannot be asked for.
        """
        token = ""
        while True:
            wanted = {
                "filter": f"labels.{LABEL}:*",
                "orderBy": "create_time",
                "pageSize": str(_PAGE),
                "pageToken": token,
            }
            try:
                page = self._ask("GET", self._jobs, wanted)
            except AnswerError as error:
                raise self._fault(error) from error
            yield from map(self._read, page.get("pipelineJobs") or ())
            token = page.get("nextPageToken") or ""
            if not token:
                return

    def cancel(self, identifier: str) -> None:
        """Have a job end; one that has ended by itself, or is gone, stays so.

        Raises:
            UserError: It is refused.
        """
        try:
            self._ask("POST", f"{self._jobs}/{identifier}:cancel", {}, {})
        except AnswerError as error:
            if error.status == _NOT_FOUND:
                return
            if self.get(identifier).outcome == "running":
                raise self._fault(error) from error

    def _ask(
        self,
        method: str,
        url: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        """Send a request, again for as long as its failure may pass; all here may be sent twice.

        Raises:
            AnswerError: The answer is not what was asked for.
            UserError: There is none within the deadline, or no credentials.
        """
        deadline = time.monotonic() + self.policy.deadline_s
        wait_s = self.policy.wait_s
        while True:
            try:
                return self._once(method, url, query, body)
            except (requests.RequestException, auth.GoogleAuthError, AnswerError) as error:
                remaining_s = deadline - time.monotonic()
                if not may_pass(error) or remaining_s <= 0:
                    if isinstance(error, AnswerError):
                        raise
                    raise self._fault(error) from error
            time.sleep(min(wait_s * random.uniform(0.5, 1.5), remaining_s))  # noqa: S311
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def _once(
        self, method: str, url: str, query: Mapping[str, str] | None, body: Mapping[str, Any] | None
    ) -> Any:
        response: requests.Response = self._session.request(
            method, url, params=query, json=body, timeout=self.policy.timeout,
            allow_redirects=False,
        )  # fmt: skip
        if not response.ok or response.is_redirect:
            raise AnswerError(response)
        try:
            return response.json()
        except ValueError as error:
            raise self._not_vertex(response) from error

    def _read(self, message: Mapping[str, Any]) -> PipelineJob:
        try:
            return PipelineJob.of(message)
        except (LookupError, ValueError, TypeError, AttributeError) as error:
            raise UserError(
                f"{self.place.host} tells of a job in another form than that of the API v1: "
                f"{type(error).__name__}: {error}",
                "correct --host, or leave it out",
            ) from error

    def _not_vertex(self, response: requests.Response) -> UserError:
        kind = response.headers.get("Content-Type", "nothing")
        return UserError(
            f"{self.place.host} answers with {kind}, not with the JSON of Vertex AI",
            "correct --host, or leave it out; check the proxy settings",
        )

    def _fault(self, error: Exception) -> UserError:
        return fault_of(error, self.place, self.policy.deadline_s)
