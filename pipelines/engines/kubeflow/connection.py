"""The connection to an API server of Kubeflow Pipelines: what is asked again, and for how long.

Built on ``kfp_server_api``, the client that is generated from the server's own description, and not
on ``kfp.Client``: that one takes seconds to load, writes into the user's home and tries an
unreachable host for 25 seconds before it says so.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

import kfp_server_api as api  # pyright: ignore[reportMissingTypeStubs]
import urllib3.exceptions

from components.contract.errors import UserError
from pipelines.engines.kubeflow.access import Token, address, configuration_of
from pipelines.engines.kubeflow.api_faults import ReplyLostError, fault_of, may_pass
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

    Raises:
        UserError: No host, none that can be reached, one that does not speak v2beta1 or does not
            know who asks; a namespace where there are none, or none where one is needed.
    """

    def __init__(
        self, host: str | None, namespace: str | None = None, policy: RetryPolicy | None = None
    ) -> None:
        self.policy = policy or RetryPolicy(deadline_s=60.0)
        self.host = address(host)
        self.namespace = namespace or ""
        self._token = Token(self.host)
        configuration = configuration_of(self.host)
        # The client asks for a new token only where it has one.
        self._token.authorize(configuration)
        configuration.refresh_api_key_hook = self._token.authorize
        client = cast("Any", api).ApiClient(configuration)
        generated = cast("Any", api)
        self.pipelines: Resource = generated.PipelineServiceApi(client)
        self.uploads: Resource = generated.PipelineUploadServiceApi(client)
        self.experiments: Resource = generated.ExperimentServiceApi(client)
        self.runs: Resource = generated.RunServiceApi(client)
        self.recurring: Resource = generated.RecurringRunServiceApi(client)
        self._health: Resource = generated.HealthzServiceApi(client)
        self._check_access()

    def page_of(self, run: str) -> str:
        """Return the address of a run's page in the user interface."""
        return f"{self.host}/#/runs/details/{run}"

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
        return call(*arguments, _request_timeout=self.policy.timeout, **named)

    def _check_access(self) -> None:
        """Ask the server how it is, and hold the namespace against its answer."""
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

    def _fault(self, error: Exception) -> Exception:
        return fault_of(
            error,
            host=self.host,
            namespace=self.namespace,
            token=self._token,
            deadline_s=self.policy.deadline_s,
        )


def equals(key: str, value: str) -> str:
    """Return the filter that lets through what has this value; case does not count."""
    predicate = {"operation": "EQUALS", "key": key, "string_value": value}
    return json.dumps({"predicates": [predicate]})
