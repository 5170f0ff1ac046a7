"""The same pipeline through the SDK's own decorators: what ours is held against."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, get_args

import yaml
from kfp import compiler, dsl, kubernetes

from components.contract.interface import interface_of
from pipelines.compress import graph_of
from pipelines.config.configuration import Config
from pipelines.config.kubeflow import Kubeflow, Resources
from pipelines.runs.graph import Step
from tests.pipelines.engines.kubeflow.graphs import REFERENCES

DIGEST = "1" * 64
CLASSES = {
    "Dataset": dsl.Dataset,
    "Model": dsl.Model,
    "LiteModel": dsl.Model,
    "Metrics": dsl.Metrics,
    "Curve": dsl.ClassificationMetrics,
    "Page": dsl.HTML,
}


def compiled(config: Config, path: Path) -> list[dict[str, Any]]:
    """Build, compile and read back a pipeline whose one source is the data."""
    settings, graph = config.kubeflow, graph_of(config)

    def body():
        data = dsl.importer(
            artifact_uri=f"{settings.pipeline_root}/sources/{DIGEST}",
            artifact_class=dsl.Artifact,
            metadata={"digest": DIGEST},
        )
        data.set_display_name("source-data")
        made: dict[str, Any] = {}
        for step in graph.ordered:
            arguments, hints = signature(step, made, data.output)
            made[step.name] = component(step, hints)(**arguments)
            configure(made[step.name], step, settings)
            configure_pods(made[step.name], step, settings)

    pipeline = dsl.pipeline(
        name=graph.name,
        description=f"{config.task}: the teacher and {', '.join(config.variants)}",
        pipeline_root=settings.pipeline_root,
    )(body)
    compiler.Compiler().compile(pipeline, str(path))
    pipeline_document, platform = yaml.safe_load_all(path.read_text())
    return [renamed(pipeline_document), platform]


def renamed(document: dict[str, Any]) -> dict[str, Any]:
    """Call the importer, which the SDK names by itself, as it is called in ours."""
    text = yaml.safe_dump(document)
    for theirs, ours in (
        ("comp-importer", "comp-source-data"),
        ("exec-importer", "exec-source-data"),
        ("producerTask: importer", "producerTask: source-data"),
        ("- importer", "- source-data"),
        ("      importer:\n        cachingOptions", "      source-data:\n        cachingOptions"),
    ):
        text = text.replace(theirs, ours)
    return yaml.safe_load(text)


def signature(step: Step, made: dict[str, Any], data: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return arguments and annotations of the function that becomes a step's component."""
    interface = interface_of(step.component)
    arguments: dict[str, Any] = {}
    hints: dict[str, Any] = {}
    for port in interface.inputs:
        flow = step.inputs[port.name]
        hint = dsl.Input[CLASSES.get(port.kind, dsl.Artifact)]
        if port.kind == "Source" and flow:
            arguments |= {port.name: data, f"{port.name}_digest": DIGEST}
            hints |= {port.name: hint, f"{port.name}_digest": str}
        elif isinstance(flow, tuple):
            names = [f"{port.name}_{index}" for index in range(len(flow))]
            hints |= dict.fromkeys(names, hint)
            arguments |= {
                n: made[r.step].outputs[r.output] for n, r in zip(names, flow, strict=True)
            }
        elif flow:
            arguments[port.name], hints[port.name] = made[flow.step].outputs[flow.output], hint
    for parameter in interface.parameters:
        value = step.parameters[parameter.name]
        if isinstance(value, tuple):  # the SDK knows lists
            value = list(value)
        if value is not None:
            accepted = str(get_args(parameter.annotation) or parameter.annotation)
            arguments[parameter.name] = value
            hints[parameter.name] = float if "<class 'float'>" in accepted else type(value)
    for port in interface.outputs:
        hints[port.name] = dsl.Output[CLASSES.get(port.kind, dsl.Artifact)]
    return arguments, hints | {"statement": dsl.Output[dsl.Artifact]}


def component(step: Step, hints: dict[str, Any]) -> Any:
    """Make a container component of a function with a synthesized signature."""

    def container(*_):
        return dsl.ContainerSpec(
            image=REFERENCES[step.image],
            command=["python", "-m", "components"],
            args=[
                step.component,
                *(("--gpu", "0") if step.gpu else ()),
                "--executor-input",
                "{{$}}",
            ],
        )

    container.__name__ = step.name.replace("-", "_")
    container.__annotations__ = hints
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    container.__signature__ = inspect.Signature(
        inspect.Parameter(name, kind, annotation=hint) for name, hint in hints.items()
    )
    return dsl.container_component(container)


def configure(task: dsl.PipelineTask, step: Step, settings: Kubeflow) -> None:
    """Say what every platform understands."""
    own = settings.resources.get(step.component, Resources())
    cpu = f"{1000 * (own.cpu or step.threads):.0f}m"
    memory = f"{1000 * (own.memory_gb or step.memory_gb):.0f}M"
    task.set_display_name(step.name)
    task.set_cpu_request(cpu).set_cpu_limit(cpu)
    task.set_memory_request(memory).set_memory_limit(memory)
    task.set_caching_options(settings.cache and step.interface.cached_by_name)
    task.set_retry(settings.retries, f"{settings.backoff_s}s", 2.0, "3600s")
    for name, value in sorted(settings.environment.items()):
        task.set_env_variable(name, value)
    if step.gpu:
        task.set_accelerator_type(own.accelerator).set_accelerator_limit(own.accelerators)


def configure_pods(task: dsl.PipelineTask, step: Step, settings: Kubeflow) -> None:
    """Say what Kubernetes alone understands."""
    own = settings.resources.get(step.component, Resources())
    kubernetes.set_timeout(
        task, round(60 * own.minutes if own.minutes else step.time_limit_s + 600)
    )
    kubernetes.set_image_pull_secrets(task, list(settings.image_pull_secrets))
    for secret in settings.secrets:
        if secret.variables:
            kubernetes.use_secret_as_env(task, secret.name, dict(sorted(secret.variables.items())))
        if secret.path:
            kubernetes.use_secret_as_volume(task, secret.name, secret.path)
    for label, value in own.node_selector.items():
        kubernetes.add_node_selector(task, label, value)
    for toleration in own.tolerations:
        kubernetes.add_toleration(task, **toleration.model_dump(exclude_none=True))
