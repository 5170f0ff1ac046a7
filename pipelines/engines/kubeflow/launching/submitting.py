"""Launching: a pipeline version is uploaded once, and a launch starts one run."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import kfp_server_api as api  # pyright: ignore[reportMissingTypeStubs]

from components.contract.errors import UserError
from pipelines.engines.kubeflow.api.api_faults import AlreadyExistsError, ReplyLostError
from pipelines.engines.kubeflow.api.connection import Connection, Resource, equals
from pipelines.engines.kubeflow.launching.launch_record import launch_of

MODELS = cast("Any", api)
"""The messages of the generated client, which has no types."""

_LOOKS, _WAIT_SHARE = 6, 4
"""A run whose creation was not confirmed is looked for so often before another is created, for
this part of the time that a request is tried."""

_ATTEMPTS = 4


@dataclass(frozen=True)
class Uploaded:
    """A pipeline version that the server has.

    Attributes:
        pipeline_id: The server's identifier of the pipeline.
        version_id: The server's identifier of the version.
        experiment_id: The server's identifier of the experiment that its runs belong to.
        name: Name of pipeline and experiment.
        version: Name of the version.
        root: Pipeline root of its runs.
        service_account: What its pods run as; None is the installation's own.
        parameters: What its runs are told, for people: no task reads it.
        service: Address of the service that shows its runs, or None.
    """

    pipeline_id: str
    version_id: str
    experiment_id: str
    name: str
    version: str
    root: str
    service_account: str | None
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    service: str | None = None

    @property
    def reference(self) -> Resource:
        """The version as runs and schedules refer to it."""
        return MODELS.V2beta1PipelineVersionReference(
            pipeline_id=self.pipeline_id, pipeline_version_id=self.version_id
        )

    @property
    def runtime(self) -> Resource:
        """The settings of a run, said again because the UI shows and compares no defaults."""
        return MODELS.V2beta1RuntimeConfig(
            pipeline_root=self.root, parameters=dict(self.parameters)
        )


def upload(
    connection: Connection,
    text: str,
    *,
    name: str,
    version: str,
    root: str,
    service_account: str | None,
    parameters: Mapping[str, Any],
    service: str | None = None,
) -> Uploaded:
    """Make sure that the server has a pipeline version, and an experiment for its runs.

    Args:
        connection: The server.
        text: The intermediate representation.
        name: Of the pipeline.
        version: Name of the version, which stands for ``text``.
        root: Pipeline root of its runs.
        service_account: See ``Uploaded``.
        parameters: See ``Uploaded``.
        service: See ``Uploaded``.

    Raises:
        UserError: The server refuses it.
    """
    pipeline = _pipeline(connection, name)
    return Uploaded(
        pipeline.pipeline_id,
        _version(connection, pipeline.pipeline_id, version, text).pipeline_version_id,
        _experiment(connection, name).experiment_id,
        name,
        version,
        root,
        service_account,
        parameters,
        service,
    )


def submit(connection: Connection, uploaded: Uploaded, launch: str) -> str:
    """Start the run of a launch, once.

    The API has no key that would make a second run of the same launch impossible, so the run is
    called as the launch and looked for before each attempt. An attempt that was thought lost and
    comes through late leaves two: then the older one stays and the others are terminated.

    Args:
        connection: The server.
        uploaded: What runs.
        launch: Unique among all launches.

    Returns:
        The server's identifier of the run.

    Raises:
        UserError: The server refuses the run, or does not confirm it.
    """
    body = MODELS.V2beta1Run(
        display_name=launch,
        description=_description(uploaded, launch),
        experiment_id=uploaded.experiment_id,
        pipeline_version_reference=uploaded.reference,
        runtime_config=uploaded.runtime,
        service_account=uploaded.service_account,
    )
    lost: ReplyLostError | None = None
    for _ in range(_ATTEMPTS):
        found = list(runs_of(connection, uploaded.experiment_id, launch))
        if not found:
            try:
                connection.order(connection.runs.run_service_create_run, body)
            except ReplyLostError as error:
                lost = error
                _wait_for(connection, uploaded.experiment_id, launch)
            found = list(runs_of(connection, uploaded.experiment_id, launch))
        if found:
            for surplus in found[1:]:
                terminate(connection, surplus.run_id)
            return found[0].run_id
    raise UserError(
        f"{connection.host} did not confirm the run {launch}: {lost}",
        f"look at the runs of the experiment {uploaded.name}; where {launch} is missing, run again",
    ) from lost


def _description(uploaded: Uploaded, launch: str) -> str:
    said = f"slimline, pipeline version {uploaded.version}"
    return f"{said}: {uploaded.service}/runs/{launch_of(launch)[0]}" if uploaded.service else said


def runs_of(connection: Connection, experiment: str, launch: str) -> Iterator[Resource]:
    """Yield the runs of a launch, the oldest first."""
    found = connection.all(
        connection.runs.run_service_list_runs,
        "runs",
        experiment_id=experiment,
        filter=equals("display_name", launch),
        sort_by="created_at asc",
    )
    return (run for run in found if run.display_name == launch)  # the filter ignores case


def terminate(connection: Connection, run: str) -> None:
    """End a run; one that has ended by itself stays as it is, and one that is gone is gone.

    Raises:
        UserError: The server does not do it.
    """
    try:
        connection.ask(connection.runs.run_service_terminate_run, run)
    except LookupError:
        return
    except UserError:
        try:
            state = connection.ask(connection.runs.run_service_get_run, run).state
        except LookupError:
            return
        if state not in ("SUCCEEDED", "FAILED", "CANCELED", "CANCELING"):
            raise


def _wait_for(connection: Connection, experiment: str, launch: str) -> None:
    for _ in range(_LOOKS):
        if any(runs_of(connection, experiment, launch)):
            return
        time.sleep(connection.policy.deadline_s / _WAIT_SHARE / _LOOKS)


def _pipeline(connection: Connection, name: str) -> Resource:
    service = connection.pipelines
    try:
        return connection.ask(
            service.pipeline_service_get_pipeline_by_name, name, namespace=connection.namespace
        )
    except LookupError:
        pass
    body = MODELS.V2beta1Pipeline(
        display_name=name, name=name, namespace=connection.namespace or None
    )
    try:
        return connection.ask(service.pipeline_service_create_pipeline, body)
    except AlreadyExistsError:  # somebody was faster, or an answer was lost
        return connection.ask(
            service.pipeline_service_get_pipeline_by_name, name, namespace=connection.namespace
        )


def _version(connection: Connection, pipeline: str, name: str, text: str) -> Resource:
    def existing() -> Resource | None:
        found = connection.all(
            connection.pipelines.pipeline_service_list_pipeline_versions,
            "pipeline_versions",
            pipeline_id=pipeline,
            filter=equals("display_name", name),
        )
        return next(found, None)

    if (found := existing()) is not None:
        return found
    with tempfile.TemporaryDirectory(prefix="slimline-") as folder:
        path = Path(folder, "pipeline.yaml")
        path.write_text(text)
        try:
            return connection.ask(
                connection.uploads.upload_pipeline_version,
                str(path),
                name=name,
                display_name=name,
                pipelineid=pipeline,
            )
        except AlreadyExistsError:
            if (found := existing()) is None:
                raise
            return found


def _experiment(connection: Connection, name: str) -> Resource:
    service = connection.experiments

    def existing() -> Resource | None:
        found = connection.all(
            service.experiment_service_list_experiments,
            "experiments",
            namespace=connection.namespace,
            filter=equals("display_name", name),
        )
        return next(found, None)

    if (found := existing()) is not None:
        return found
    body = MODELS.V2beta1Experiment(display_name=name, namespace=connection.namespace or None)
    try:
        return connection.ask(service.experiment_service_create_experiment, body)
    except AlreadyExistsError:
        if (found := existing()) is None:
            raise
        return found
