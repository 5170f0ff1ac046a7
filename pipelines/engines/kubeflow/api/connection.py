"""The connection to an API server of Kubeflow Pipelines: what is asked again, and for how long.

Built on ``kfp_server_api``, the client that is generated from the server's own description, and not
on ``kfp.Client``: that one takes seconds to load, writes into the user's home and tries an
unreachable host for 25 seconds before it says so.
"""

from __future__ import annotations

import json
import random
import shlex
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

import kfp_server_api as api  # pyright: ignore[reportMissingTypeStubs]
import urllib3.exceptions

from components.contract.errors import UserError
from pipelines.config.kubeflow_auth import Auth
from pipelines.engines.kubeflow.api.access import address, configuration_of
from pipelines.engines.kubeflow.api.api_faults import ReplyLostError, fault_of, is_unknown, may_pass
from pipelines.engines.kubeflow.api.identity import Identity
from pipelines.stores.retrying import RetryPolicy

_PAGE = 100
_LONGEST_WAIT_S = 8.0

Answer = TypeVar("Answer")
Resource = Any
"""A message of the generated client, which has no types."""


class Connection:
    """An API server, found and known to speak v2beta1.

    Args:
        host: Address with scheme, such as ``https://kubeflow.example.org/pipeline``; None takes
            ``KF_PIPELINES_ENDPOINT``.
        namespace: The user's, where the installation has several users.
        policy: How long requests are tried.
        auth: What says who asks; None takes what the environment has.

    Raises:
        UserError: No host, none that can be reached, one that does not speak v2beta1 or does not
            know who asks; a namespace where there are none, or none where one is needed.
    """

    def __init__(
        self,
        host: str | None,
        namespace: str | None = None,
        policy: RetryPolicy | None = None,
        auth: Auth | None = None,
    ) -> None:
        self.policy = policy or RetryPolicy(deadline_s=60.0)
        self.host = address(host)
        self.namespace = namespace or ""
        self._identity = Identity(self.host, auth)
        self._auth = auth
        generated = cast("Any", api)
        self._client = client = generated.ApiClient(configuration_of(self.host))
        self.pipelines: Resource = generated.PipelineServiceApi(client)
        self.uploads: Resource = generated.PipelineUploadServiceApi(client)
        self.experiments: Resource = generated.ExperimentServiceApi(client)
        self.runs: Resource = generated.RunServiceApi(client)
        self.recurring: Resource = generated.RecurringRunServiceApi(client)
        self._health: Resource = generated.HealthzServiceApi(client)
        self.tag: str = self._check_access()
        """The version that the server says it has; empty where it says none."""

    @property
    def options(self) -> str:
        """The options of a command that reaches the same server as the same user."""
        words = ["--engine", "kubeflow", "--host", self.host]
        if self.namespace:
            words += ["--namespace", self.namespace]
        return shlex.join(words + (self._auth.options if self._auth else []))

    def page_of(self, run: str) -> str:
        """Return the address of a run's page in the user interface."""
        return f"{self.host}/#/runs/details/{run}"

    def log_of(self, run: str, pod: str) -> str | None:
        """Return what a pod of a run has printed, or None where the server cannot say.

        The generated client does not know this method, which streams; where the server cannot read
        the log it still answers with 200, and with an error in JSON at the end of the text.
        """
        path = f"/apis/v1alpha1/runs/{run}/nodes/{pod}/log"
        self._identity.apply(self._client)
        try:
            answer: Any = self._client.call_api(
                path,
                "GET",
                auth_settings=["Bearer"],
                _preload_content=False,
                _return_http_data_only=True,
                _request_timeout=self.policy.timeout,
            )
            text = answer.data.decode(errors="replace")
        except (urllib3.exceptions.HTTPError, api.ApiException):
            return None
        return None if text.lstrip().startswith(('{"error', '{"code', "<")) else text

    def ask(self, call: Callable[..., Answer], *arguments: Any, **named: Any) -> Answer:
        """Call a method of the generated client, again for as long as its failure may pass.

        For questions, and for orders that may be given twice.

        Raises:
            AlreadyExistsError: The server has something of that name.
            LookupError: The server has nothing of that identifier.
            UserError: It cannot be done, or not within the deadline.
        """
        deadline = time.monotonic() + self.policy.deadline_s
        wait_s = self.policy.wait_s
        while True:
            try:
                return self._call(call, *arguments, **named)
            except (urllib3.exceptions.HTTPError, api.ApiException) as error:
                remaining_s = deadline - time.monotonic()
                if not may_pass(error) or remaining_s <= 0:
                    raise self._fault(error) from error
            # As long as the last wait on average, and never past the deadline.
            time.sleep(min(wait_s * random.uniform(0.5, 1.5), remaining_s))  # noqa: S311
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def order(self, call: Callable[..., Answer], *arguments: Any, **named: Any) -> Answer:
        """Call a method of the generated client once, because twice would do it twice.

        Raises:
            ReplyLostError: It may or may not have been done.
            UserError: It was refused.
        """
        try:
            return self._call(call, *arguments, **named)
        except (urllib3.exceptions.HTTPError, api.ApiException) as error:
            if may_pass(error):
                raise ReplyLostError(str(self._fault(error))) from error
            raise self._fault(error) from error

    def all(self, call: Callable[..., Any], rows: str, **named: Any) -> Iterator[Resource]:
        """Yield what a listing method gives, from all of its pages.

        Args:
            call: The method.
            rows: The attribute of its answer that holds the rows.
            named: What it is asked with, the same for each page.
        """
        token = ""
        while True:
            page: Any = self.ask(call, page_size=_PAGE, page_token=token, **named)
            yield from getattr(page, rows) or ()
            token = page.next_page_token
            if not token:
                return

    def _call(self, call: Callable[..., Answer], *arguments: Any, **named: Any) -> Answer:
        """Call once, and once more with a new token where the server did not take the one it got.

        What was not admitted was not done, so an order may be given again, too.
        """
        named["_request_timeout"] = self.policy.timeout
        try:
            return self._call_as(call, *arguments, **named)
        except api.ApiException as error:
            if not is_unknown(error) or not self._identity.renew():
                raise
        return self._call_as(call, *arguments, **named)

    def _call_as(self, call: Callable[..., Answer], *arguments: Any, **named: Any) -> Answer:
        self._identity.apply(self._client)
        answer = call(*arguments, **named)
        self._identity.take(self._client.last_response)
        return answer

    def _check_access(self) -> str:
        """Ask the server how it is, hold the namespace against its answer; return its version."""
        what = f"{self.host} answers, but not as the API v2beta1 of Kubeflow Pipelines"
        fix = (
            f"open {self.host}/apis/v2beta1/healthz: it must show JSON. Where it does not, "
            "correct --host (often it ends in /pipeline), or update Kubeflow Pipelines to 2.0"
        )
        try:
            answer: Any = self.ask(self._health.healthz_service_get_healthz_with_http_info)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise UserError(what, fix) from error
        health, _, headers = answer
        if "json" not in headers.get("Content-Type", ""):  # a page for people
            raise UserError(what, fix)
        several = bool(health.multi_user)
        if several and not self.namespace:
            raise UserError(
                f"{self.host} has several users, and nothing says whose namespace is meant",
                "name yours: --namespace NAME",
            )
        if self.namespace and not several:
            raise UserError(
                f"{self.host} is an installation for one user, which has no namespaces",
                f"leave --namespace {self.namespace} out",
            )
        # The generated client drops the fields that its description does not have.
        return str(json.loads(self._client.last_response.data).get("tag_name") or "")

    def _fault(self, error: Exception) -> Exception:
        return fault_of(
            error,
            host=self.host,
            namespace=self.namespace,
            who=self._identity,
            deadline_s=self.policy.deadline_s,
        )


def equals(key: str, value: str) -> str:
    """Return the filter that lets through what has this value; case does not count."""
    predicate = {"operation": "EQUALS", "key": key, "string_value": value}
    return json.dumps({"predicates": [predicate]})
