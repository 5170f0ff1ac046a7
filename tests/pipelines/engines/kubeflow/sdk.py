"""The same pipeline through the SDK's own decorators: what ours is held against."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, get_args

import yaml
from kfp import compiler, dsl, kubernetes

from components.contract.interface import interface_of
from components.contract.results import DISPLAY_NAME, PORTS
from pipelines.compress import graph_of
from pipelines.config.configuration import Config
from pipelines.config.kubeflow import Kubeflow, Resources
from pipelines.engines.kubeflow.ir.component_spec import arguments, artifact_of
from pipelines.engines.kubeflow.ir.result_layout import display_names, layout_of_step, ports_of
from pipelines.runs.graph import Graph, Step
from tests.pipelines.engines.kubeflow.graphs import REFERENCES

DIGEST = "1" * 64
RESULT = "result__"
"""What stands here before names of results: to the SDK inputs and outputs share one signature."""
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
        names = display_names(graph)
        for step in graph.ordered:
            arguments, hints = signature(step, graph, made, data.output)
            if step.name in names:
                arguments[DISPLAY_NAME], hints[DISPLAY_NAME] = names[step.name], str
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
    """Call importer and results, which the SDK names otherwise, as they are called in ours."""
    text = yaml.safe_dump(document)
    for theirs, ours in (
        (RESULT, ""),
        ("comp-importer", "comp-source-data"),
        ("exec-importer", "exec-source-data"),
        ("producerTask: importer", "producerTask: source-data"),
        ("- importer", "- source-data"),
        ("      importer:\n        cachingOptions", "      source-data:\n        cachingOptions"),
    ):
        text = text.replace(theirs, ours)
    return yaml.safe_load(text)


def signature(
    step: Step, graph: Graph, made: dict[str, Any], data: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return arguments and annotations of the function that becomes a step's component."""
    interface = interface_of(step.component)
    arguments: dict[str, Any] = {}
    hints: dict[str, Any] = {}
    for port in interface.inputs:
        flow = step.inputs[port.name]
        hint = dsl.Input[dsl.Artifact]
        if port.kind == "Source" and flow:
            arguments |= {port.name: data, f"{port.name}_digest": DIGEST}
            hints |= {port.name: hint, f"{port.name}_digest": str}
        elif isinstance(flow, tuple):
            names = [f"{port.name}_{index}" for index in range(len(flow))]
            hints |= dict.fromkeys(names, hint)
            arguments |= {
                n: output(made[r.step], artifact_of(r, graph))
                for n, r in zip(names, flow, strict=True)
            }
        elif flow:
            arguments[port.name] = output(made[flow.step], artifact_of(flow, graph))
            hints[port.name] = hint
    for parameter in interface.parameters:
        value = step.parameters[parameter.name]
        if isinstance(value, tuple):  # the SDK knows lists
            value = list(value)
        if value is not None:
            accepted = str(get_args(parameter.annotation) or parameter.annotation)
            arguments[parameter.name] = value
            hints[parameter.name] = float if "<class 'float'>" in accepted else type(value)
    if ports := ports_of(step, graph):
        arguments[PORTS], hints[PORTS] = ports, dict
    layout = layout_of_step(step)
    hints[f"{RESULT}{layout.name}"] = dsl.Output[CLASSES.get(layout.kind, dsl.Artifact)]
    for port in interface.outputs:
        if port.name in layout.beside:
            hints[port.name] = dsl.Output[CLASSES.get(port.kind, dsl.Artifact)]
    return arguments, hints


def output(task: Any, name: str) -> Any:
    """Return an output of a task, which may be its result."""
    return task.outputs[name if name in task.outputs else f"{RESULT}{name}"]


def component(step: Step, hints: dict[str, Any]) -> Any:
    """Make a container component of a function with a synthesized signature."""

    def container(*_):
        return dsl.ContainerSpec(
            image=REFERENCES[step.interface.image],
            command=["python", "-m", "components"],
            args=arguments(step),
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
    if own.accelerator:
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
