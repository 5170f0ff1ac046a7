"""The same pipeline through the SDK's own decorators: what ours is held against."""

from __future__ import annotations

import inspect
import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kfp import compiler, dsl, kubernetes

from pipelines.compress import graph_of
from pipelines.config.configuration import Config
from pipelines.config.kubeflow import Kubeflow, Resources
from pipelines.engines.kubeflow.ir.component_spec import (
    arguments,
    artifact_of,
    input_artifacts,
    parameter_types,
    parameters,
)
from pipelines.engines.kubeflow.ir.pod_spec import life_s
from pipelines.engines.kubeflow.ir.recipes import keyed, recipes
from pipelines.engines.kubeflow.ir.result_layout import display_names, layout_of_step
from pipelines.runs.graph import Graph, SourceRef, Step
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
PARAMETERS = {
    "STRING": str,
    "NUMBER_INTEGER": int,
    "NUMBER_DOUBLE": float,
    "BOOLEAN": bool,
    "LIST": list,
    "STRUCT": dict,
}


def compiled(config: Config, path: Path) -> list[dict[str, Any]]:
    """Build, compile and read back a pipeline whose one source is the data."""
    settings, graph = config.kubeflow, graph_of(config)
    sources = dict.fromkeys(graph.sources, DIGEST)
    recipe, lasting = recipes(graph, sources, REFERENCES), keyed(graph)

    names: dict[str, str] = {}

    def body(configuration: str = config.digest, data: str = config.data, seed: int = config.seed):
        data_importer = dsl.importer(
            artifact_uri=f"{settings.pipeline_root}/sources/{DIGEST}",
            artifact_class=dsl.Artifact,
            metadata={"digest": DIGEST, "display_name": "data"},
        )
        data_importer.set_display_name("source-data")
        made: dict[str, Any] = {}
        common = shared(graph)
        for step in graph.ordered:
            called_with = given(step, graph, made, data_importer.output)
            differing = {
                name: value
                for name, value in called_with.items()
                if name not in common[kind_of(step)].defaults
                or common[kind_of(step)].defaults[name] != value
            }
            made[step.name] = component(step, common[kind_of(step)])(
                **differing, recipe=recipe[step.name]
            )
            names[made[step.name].name] = step.name
            configure(made[step.name], step, settings)
            configure_pods(made[step.name], step, settings)
            if settings.cache and step.name in lasting:
                made[step.name].set_caching_options(True, cache_key=recipe[step.name])

    # The SDK reads types, and the annotations of this module are texts.
    body.__annotations__ = {"configuration": str, "data": str, "seed": int}
    pipeline = dsl.pipeline(
        name=graph.name,
        description=f"{config.task}: the teacher and {', '.join(config.variants)}",
        pipeline_root=settings.pipeline_root,
    )(body)
    compiler.Compiler().compile(pipeline, str(path))
    pipeline_document, platform = yaml.safe_load_all(path.read_text())
    return [renamed(shared_once(pipeline_document, platform), names), platform]


def shared_once(document: dict[str, Any], platform: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the SDK repeats: a component, an executor and a platform entry a task."""
    components, executors = document["components"], document["deploymentSpec"]["executors"]
    pods = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    first: dict[str, str] = {}
    for task in document["root"]["dag"]["tasks"].values():
        name = task["componentRef"]["name"].removeprefix("comp-")
        parts = (components[f"comp-{name}"], executors[f"exec-{name}"], pods.get(f"exec-{name}"))
        kept = first.setdefault(json.dumps([{**parts[0], "executorLabel": ""}, *parts[1:]]), name)
        task["componentRef"]["name"] = f"comp-{kept}"
    for name in {name.removeprefix("comp-") for name in components} - set(first.values()):
        del components[f"comp-{name}"], executors[f"exec-{name}"], pods[f"exec-{name}"]
    return document


def renamed(document: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Call tasks, and the importer's output, as ours are: the SDK numbers them by component.

    Args:
        document: What the SDK wrote.
        names: By the SDK's name of a task ours.
    """
    names = {**names, "importer": "source-data"}
    tasks: dict[str, Any] = {}
    for theirs, task in document["root"]["dag"]["tasks"].items():
        if "dependentTasks" in task:
            task["dependentTasks"] = sorted(names[name] for name in task["dependentTasks"])
        for artifact in task["inputs"].get("artifacts", {}).values():
            output = artifact["taskOutputArtifact"]
            output["producerTask"] = names[output["producerTask"]]
            output["outputArtifactKey"] = output["outputArtifactKey"].removeprefix(RESULT)
            if output["producerTask"] == "source-data":
                output["outputArtifactKey"] = "data"
        tasks[names[theirs]] = task
    document["root"]["dag"]["tasks"] = tasks
    components, executors = document["components"], document["deploymentSpec"]["executors"]
    for one in components.values():
        outputs = one["outputDefinitions"]["artifacts"]
        one["outputDefinitions"]["artifacts"] = {
            name.removeprefix(RESULT): kind for name, kind in outputs.items()
        }
    importer = components["comp-source-data"] = components.pop("comp-importer")
    importer["executorLabel"] = "exec-source-data"
    importer["outputDefinitions"]["artifacts"] = {
        "data": importer["outputDefinitions"]["artifacts"]["artifact"]
    }
    executors["exec-source-data"] = executors.pop("exec-importer")
    tasks["source-data"]["componentRef"]["name"] = "comp-source-data"
    return document


@dataclass
class Shared:
    """What the steps of a component are declared with together."""

    hints: dict[str, Any]
    defaults: dict[str, Any]


def kind_of(step: Step) -> str:
    """Return what is equal of steps that share a container."""
    return " ".join(arguments(step))


def shared(graph: Graph) -> dict[str, Shared]:
    """Return by kind of container every input and output, and the commonest value of its parameters."""
    found: dict[str, Shared] = {}
    by_component: dict[str, list[Step]] = {}
    for step in graph.ordered:
        by_component.setdefault(kind_of(step), []).append(step)
    for name, members in by_component.items():
        each = [given(step, graph, defaultdict(_Anything), None) for step in members]
        hints: dict[str, Any] = {}
        for step, called_with in zip(members, each, strict=True):
            hints |= hints_of(step, called_with)
        defaults: dict[str, Any] = {}
        for argument, hint in hints.items():
            values = [called_with.get(argument, None) for called_with in each]
            everywhere = all(argument in called_with for called_with in each)
            if _is_artifact(hint):
                if not everywhere:
                    hints[argument], defaults[argument] = hint | None, None
            else:
                texts = Counter(json.dumps(v, sort_keys=True) for v in values)
                top = max(texts, key=lambda text: (texts[text], text))
                hints[argument] = hint | None
                defaults[argument] = json.loads(top) if everywhere else None
        hints["recipe"], defaults["recipe"] = str | None, None
        for key, schema in outputs_of(members[0]).items():
            hints[key] = dsl.Output[schema]
        found[name] = Shared(hints, defaults)
    return found


class _Anything:
    """Stands for a task whose outputs are named before it is made."""

    @property
    def outputs(self) -> defaultdict[str, str]:
        return defaultdict(str)


def _is_artifact(hint: Any) -> bool:
    return hasattr(hint, "__metadata__")


def given(step: Step, graph: Graph, made: Mapping[str, Any], data: Any) -> dict[str, Any]:
    """Return what a step is called with; a source's digest is a parameter."""
    called_with: dict[str, Any] = {}
    for artifact in input_artifacts(step):
        flow = artifact.flow
        if isinstance(flow, SourceRef):
            called_with |= {artifact.name: data}
        else:
            outputs, name = made[flow.step].outputs, artifact_of(flow, graph)
            called_with[artifact.name] = outputs[name if name in outputs else f"{RESULT}{name}"]
    names = display_names(graph)
    values = parameters(step, defaultdict(lambda: DIGEST), graph, names.get(step.name))
    # The SDK knows lists, and numbers of the type that is declared.
    types = parameter_types(step.component)
    for name, value in values.items():
        if types.get(name) == "NUMBER_DOUBLE":
            called_with[name] = float(value)
        else:
            called_with[name] = list(value) if isinstance(value, tuple) else value
    return called_with


def hints_of(step: Step, called_with: Mapping[str, Any]) -> dict[str, Any]:
    """Return annotations of what a step is called with."""
    artifacts = {artifact.name for artifact in input_artifacts(step)}
    types = parameter_types(step.component)
    return {
        name: dsl.Input[dsl.Artifact]
        if name in artifacts
        else PARAMETERS[types.get(name, "STRING")]
        for name in called_with
    }


def outputs_of(step: Step) -> dict[str, Any]:
    """Return the class of every artifact that comes out."""
    layout = layout_of_step(step)
    kinds = {port.name: port.kind for port in step.interface.outputs}
    return {
        f"{RESULT}{layout.name}": CLASSES.get(layout.kind, dsl.Artifact),
        **{name: CLASSES.get(kinds[name], dsl.Artifact) for name in layout.beside},
    }


def component(step: Step, common: Shared) -> Any:
    """Make a container component of a function with a synthesized signature."""

    def container(*_: Any, **__: Any) -> dsl.ContainerSpec:
        return dsl.ContainerSpec(
            image=REFERENCES[step.image],
            command=["python", "-m", "components"],
            args=arguments(step),
        )

    container.__name__ = step.component
    container.__annotations__ = common.hints
    kind = inspect.Parameter.KEYWORD_ONLY
    container.__signature__ = inspect.Signature(
        inspect.Parameter(
            name, kind, annotation=hint, default=common.defaults.get(name, inspect.Parameter.empty)
        )
        for name, hint in common.hints.items()
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
    waits = sum(settings.backoff_s * 2**count for count in range(settings.retries))
    longest = round((settings.retries + 1) * life_s(step, settings) + waits)
    task.set_retry(settings.retries, f"{settings.backoff_s}s", 2.0, f"{longest}s")
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
