"""The same pipeline through the SDK's own decorators: what ours is held against."""

from __future__ import annotations

import inspect
import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import yaml
from kfp import compiler, dsl, kubernetes

from pipelines.compress import graph_of
from pipelines.config.configuration import Config
from pipelines.config.kubeflow import Kubeflow, Resources
from pipelines.engines.kubeflow.ir.cache_keys import keys_of, repeatable
from pipelines.engines.kubeflow.ir.component_spec import (
    arguments,
    artifact_of,
    input_artifacts,
    parameter_types,
    parameters,
)
from pipelines.engines.kubeflow.ir.pod_spec import life_s
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
    keys, lasting = keys_of(graph, sources, REFERENCES), repeatable(graph)

    names: dict[str, str] = {}

    def body(
        configuration: str = config.digest[:16], data: str = config.data, seed: int = config.seed
    ):
        data_importer = dsl.importer(
            artifact_uri=f"{settings.pipeline_root}/sources/{DIGEST}",
            artifact_class=dsl.Artifact,
            metadata={"digest": DIGEST, "display_name": "data"},
        )
        data_importer.set_display_name("source-data")
        made: dict[str, Any] = {}
        called = display_names(graph)
        common = shared(graph)
        for step in graph.ordered:
            values = given(step, graph, made, data_importer.output)
            kind = common[kind_of(step)]
            made[step.name] = component(step, kind)(
                **kind.differing(values),
                cache_key=f"{keys[step.name]} {called.get(step.name, '')}".rstrip(),
            )
            names[made[step.name].name] = step.name
            configure(made[step.name], step, settings)
            configure_pods(made[step.name], step, settings)
            if settings.cache and step.name in lasting:
                made[step.name].set_caching_options(True, cache_key=keys[step.name])

    # The SDK reads types, and the annotations of this module are texts.
    body.__annotations__ = {"configuration": str, "data": str, "seed": int}
    pipeline = dsl.pipeline(
        name=graph.name,
        description=f"{config.task}: the teacher and {', '.join(config.variants)}",
        pipeline_root=settings.pipeline_root,
    )(body)
    compiler.Compiler().compile(pipeline, str(path))
    pipeline_document, platform = yaml.safe_load_all(path.read_text())
    ours = [renamed(shared_once(pipeline_document, platform), names), platform]
    return [json.loads(one) for one in numbered([json.dumps(one) for one in ours])]


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


def numbered(texts: list[str]) -> list[str]:
    """Number components without gaps, in the order in which the SDK met them."""
    for text in texts:
        for base in set(re.findall(r"comp-([a-z-]+)-[0-9]+", text)):
            found = {int(one) for one in re.findall(rf"comp-{base}-([0-9]+)\b", texts[0])}
            for place, number in enumerate(sorted(found), start=2):
                texts = [
                    re.sub(rf"\b(comp|exec)-{base}-{number}\b", rf"\1-{base}-{place}", one)
                    for one in texts
                ]
    return texts


def renamed(document: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Call tasks, and the importer's output, as ours are: the SDK numbers them by component.

    Args:
        document: What the SDK wrote.
        names: By the SDK's name of a task ours.
    """
    document = json.loads(json.dumps(document).replace(RESULT, ""))
    names = {**names, "importer": "source-data"}
    tasks: dict[str, Any] = {}
    for theirs, task in document["root"]["dag"]["tasks"].items():
        if "dependentTasks" in task:
            task["dependentTasks"] = sorted(names[name] for name in task["dependentTasks"])
        for artifact in task["inputs"].get("artifacts", {}).values():
            output = artifact["taskOutputArtifact"]
            output["producerTask"] = names[output["producerTask"]]
            if output["producerTask"] == "source-data":
                output["outputArtifactKey"] = "data"
        tasks[names[theirs]] = task
    document["root"]["dag"]["tasks"] = tasks
    components, executors = document["components"], document["deploymentSpec"]["executors"]
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
    taken: dict[str, Any]

    def differing(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a task has to say."""
        said = {**self.defaults, **self.taken}
        return {n: value for n, value in values.items() if n not in said or said[n] != value}


def kind_of(step: Step) -> tuple[str, ...]:
    """Return what tells the container of a step from those of others."""
    return tuple(arguments(step))


def shared(graph: Graph) -> dict[tuple[str, ...], Shared]:
    """Return by kind every input and output, and the commonest value of its parameters."""
    found: dict[tuple[str, ...], Shared] = {}
    by_kind: dict[tuple[str, ...], list[Step]] = {}
    for step in graph.ordered:
        by_kind.setdefault(kind_of(step), []).append(step)
    for name, members in by_kind.items():
        made = defaultdict(_Anything)
        each = [given(step, graph, made, None) for step in members]
        hints: dict[str, Any] = {}
        for step, values in zip(members, each, strict=True):
            hints |= hints_of(step, values)
        defaults: dict[str, Any] = {}
        silent: list[tuple[str, int]] = []
        own = {one.name: one.default for one in members[0].interface.parameters if not one.required}
        for argument, hint in hints.items():
            all_values = [values.get(argument, None) for values in each]
            everywhere = all(argument in values for values in each)
            if _is_artifact(hint):
                if not everywhere:
                    hints[argument], defaults[argument] = Optional[hint], None  # noqa: UP045 the SDK knows no other
            else:
                texts = Counter(json.dumps(v, sort_keys=True) for v in all_values)
                top = max(texts, key=lambda text: (texts[text], text))
                everywhere = everywhere and (texts[top] > 1 or len(members) == 1)
                hints[argument] = Optional[hint]  # noqa: UP045
                defaults[argument] = json.loads(top) if everywhere else None
                if argument in own and everywhere and json.dumps(own[argument]) == top:
                    silent.append((argument, len(texts)))
        hints["cache_key"], defaults["cache_key"] = Optional[str], None  # noqa: UP045
        for key, schema in outputs_of(members[0]).items():
            hints[key] = dsl.Output[schema]
        taken = {argument: defaults[argument] for argument, _ in silent}
        for argument, values_there in silent:  # what the function takes by itself is not said
            defaults[argument] = None
            if values_there == 1:
                del hints[argument], defaults[argument]
        found[name] = Shared(hints, defaults, taken)
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
    values: dict[str, Any] = {}
    for artifact in input_artifacts(step):
        flow = artifact.flow
        if isinstance(flow, SourceRef):
            values[artifact.name] = data
        else:
            values[artifact.name] = output(made[flow.step], artifact_of(flow, graph))
    # The SDK knows lists, and numbers of the type that is declared.
    types = parameter_types(step.component)
    digests = defaultdict(lambda: DIGEST)
    for name, value in parameters(step, digests, graph).items():
        if types.get(name) == "NUMBER_DOUBLE":
            values[name] = float(value)
        else:
            values[name] = list(value) if isinstance(value, tuple) else value
    return values


def hints_of(step: Step, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return annotations of what a step is called with."""
    types = parameter_types(step.component)
    artifacts = {artifact.name for artifact in input_artifacts(step)}
    return {
        name: dsl.Input[dsl.Artifact]
        if name in artifacts
        else PARAMETERS[types.get(name, "STRING")]
        for name in values
    }


def outputs_of(step: Step) -> dict[str, Any]:
    """Return the class of every output."""
    layout = layout_of_step(step)
    kinds = {port.name: port.kind for port in step.interface.outputs}
    found = {f"{RESULT}{layout.name}": CLASSES.get(layout.kind, dsl.Artifact)}
    return found | {name: CLASSES.get(kinds[name], dsl.Artifact) for name in layout.beside}


def output(task: Any, name: str) -> Any:
    """Return an output of a task, which may be its result."""
    return task.outputs[name if name in task.outputs else f"{RESULT}{name}"]


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
    cpu = f"{1000 * (own.cpu or max(step.threads, 1)):.0f}m"
    memory = f"{1000 * (own.memory_gb or step.memory_gb):.0f}M"
    task.set_display_name(step.name)
    task.set_cpu_request(cpu).set_cpu_limit(cpu)
    task.set_memory_request(memory).set_memory_limit(memory)
    # What a device is that measures nobody here has been told.
    known = settings.cache and step.interface.cached_by_name and not step.elsewhere
    task.set_caching_options(known)
    waits = sum(settings.backoff_s * 2**count for count in range(settings.retries))
    longest = round((settings.retries + 1) * life_s(step, settings) + waits)
    task.set_retry(settings.retries, f"{settings.backoff_s}s", 2.0, f"{longest}s")
    variables = dict(settings.environment)
    if step.elsewhere:
        variables["SLIMLINE_DEVICES_HOST"] = settings.devices.host
        variables["SLIMLINE_DEVICES_KEYS"] = f"/etc/slimline-devices/{settings.devices.secret}"
    for name, value in sorted(variables.items()):
        task.set_env_variable(name, value)
    if step.gpu:
        kind = own.accelerator or "nvidia.com/gpu"
        task.set_accelerator_type(kind).set_accelerator_limit(own.accelerators)


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
    if step.elsewhere:
        secret = settings.devices.secret
        kubernetes.use_secret_as_volume(task, secret, f"/etc/slimline-devices/{secret}")
    for label, value in own.node_selector.items():
        kubernetes.add_node_selector(task, label, value)
    for toleration in own.tolerations:
        kubernetes.add_toleration(task, **toleration.model_dump(exclude_none=True))
