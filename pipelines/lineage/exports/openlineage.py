"""A run as OpenLineage events, one a line, as its own client serializes them.

References:
    https://openlineage.io/docs/spec/object-model: runs, jobs, datasets and facets.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from pipelines import __version__
from pipelines.lineage.exports.extra import check_installed
from pipelines.lineage.exports.run_facts import RunFacts
from pipelines.lineage.proof.walk import digests_in
from pipelines.runs.step_records import ExecutionRecord

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent

NAMESPACE = "slimline"
"""Namespace of jobs, and of artifacts, which are named by their digests alone."""

PRODUCER = f"urn:slimline:{__version__}"
_INTEGRATION = "SLIMLINE"


def openlineage_of(facts: RunFacts) -> bytes:
    """Return the events of a run: its own, and those of each step that was executed.

    Where files lay, on which machine, and who started the run is left out. A step whose result was
    there already has run once, in the run of its record; its events are those of that execution,
    and equal ones have equal identifiers.

    Args:
        facts: Of the run.

    Raises:
        UserError: The package is not installed.
    """
    check_installed("openlineage")
    from openlineage.client import facet_v2
    from openlineage.client.serde import Serde

    facet_v2.set_producer(PRODUCER)
    lines = [Serde.to_json(event) for event in _events(facts)]
    return "".join(f"{line}\n" for line in lines).encode()


def _events(facts: RunFacts) -> Iterator[RunEvent]:
    from openlineage.client.event_v2 import RunState

    record = facts.record
    run, job = _identified(facts, record.run), _job(facts, record.name, "PIPELINE")
    yield _event(RunState.START, record.started, run, job)
    for name, execution in facts.executions.items():
        yield from _step_events(facts, name, execution)
    inputs = [_source(name, digest) for name, digest in record.sources.items()]
    state = RunState.COMPLETE if record.outcome == "done" else RunState.FAIL
    outputs = [_output(facts, "release", facts.release)]
    yield _event(state, record.finished or record.started, run, job, inputs, outputs)


def _step_events(facts: RunFacts, name: str, execution: ExecutionRecord) -> Iterator[RunEvent]:
    from openlineage.client.event_v2 import Run, RunState
    from openlineage.client.facet_v2 import parent_run, processing_engine_run

    parent = parent_run.ParentRunFacet(
        run=parent_run.Run(runId=_identifier(execution.run)),
        job=parent_run.Job(namespace=NAMESPACE, name=facts.record.name),
    )
    engine = processing_engine_run.ProcessingEngineRunFacet(
        version=__version__, name=f"slimline/{execution.engine}"
    )
    run = Run(
        runId=_identifier(execution.record), facets={"parent": parent, "processing_engine": engine}
    )
    job = _job(facts, f"{facts.record.name}.{name}", "STEP", execution.component)
    inputs = list(_inputs(facts, execution))
    outputs = [_output(facts, output, tree) for output, tree in execution.outputs.items()]
    finished = execution.finished or facts.record.started
    yield _event(RunState.START, execution.started or finished, run, job, inputs)
    state = RunState.COMPLETE if execution.outcome == "ok" else RunState.FAIL
    yield _event(state, finished, run, job, inputs, outputs)


def _event(
    state: Any,
    at: str,
    run: Run,
    job: Job,
    inputs: Sequence[InputDataset] = (),
    outputs: Sequence[OutputDataset] = (),
) -> RunEvent:
    from openlineage.client.event_v2 import RunEvent

    return RunEvent(
        eventTime=at,
        eventType=state,
        run=run,
        job=job,
        inputs=list(inputs),
        outputs=list(outputs),
        producer=PRODUCER,
    )


def _identifier(of: str) -> str:
    """Return the identifier of a run, or of an execution, which needs to be a UUID here."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:slimline:run:{of}"))


def _identified(facts: RunFacts, run: str) -> Run:
    from openlineage.client.event_v2 import Run
    from openlineage.client.facet_v2 import processing_engine_run

    engine = processing_engine_run.ProcessingEngineRunFacet(
        version=__version__, name=f"slimline/{facts.record.engine}"
    )
    return Run(runId=_identifier(run), facets={"processing_engine": engine})


def _job(facts: RunFacts, name: str, kind: str, description: str = "") -> Job:
    from openlineage.client.event_v2 import Job
    from openlineage.client.facet_v2 import documentation_job, job_type_job, ownership_job

    facets: dict[str, Any] = {
        "jobType": job_type_job.JobTypeJobFacet(
            processingType="BATCH", integration=_INTEGRATION, jobType=kind
        )
    }
    if description := description or str(facts.about.get("purpose", "")):
        facets["documentation"] = documentation_job.DocumentationJobFacet(description=description)
    if owner := facts.about.get("owner"):
        owners = [ownership_job.Owner(name=str(owner), type="OWNER")]
        facets["ownership"] = ownership_job.OwnershipJobFacet(owners=owners)
    return Job(namespace=NAMESPACE, name=name, facets=facets)


def _source(name: str, digest: str) -> InputDataset:
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import dataset_type_dataset, dataset_version_dataset

    facets: dict[str, Any] = {
        "version": dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=digest),
        "datasetType": dataset_type_dataset.DatasetTypeDatasetFacet(
            datasetType="FILE", subType=name
        ),
    }
    return InputDataset(namespace=NAMESPACE, name=f"source/{digest}", facets=facets)


def _inputs(facts: RunFacts, execution: ExecutionRecord) -> Iterator[InputDataset]:
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import dataset_version_dataset

    sources = {digest: name for name, digest in facts.record.sources.items()}
    entered = cast("Mapping[str, object]", execution.ingredients.get("inputs", {}))
    for digest in dict.fromkeys(digests_in(entered)):
        if digest in sources:
            yield _source(sources[digest], digest)
            continue
        version = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=digest)
        yield InputDataset(
            namespace=NAMESPACE, name=f"artifact/{digest}", facets={"version": version}
        )


def _output(facts: RunFacts, name: str, tree: str) -> OutputDataset:
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import (
        dataset_type_dataset,
        dataset_version_dataset,
        output_statistics_output_dataset,
    )

    measured: dict[str, Any] = {}
    if tree in facts.sizes:
        size, files = facts.sizes[tree]
        measured["outputStatistics"] = (
            output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
                size=size, fileCount=files
            )
        )
    facets: dict[str, Any] = {
        "version": dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=tree),
        "datasetType": dataset_type_dataset.DatasetTypeDatasetFacet(
            datasetType="MODEL" if name in ("model", "lite", "release", "winner") else "FILE",
            subType=name,
        ),
    }
    return OutputDataset(
        namespace=NAMESPACE, name=f"artifact/{tree}", facets=facets, outputFacets=measured
    )
