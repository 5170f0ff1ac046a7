"""Kinds of containers: the steps of each share a component, an executor and a platform entry.

The server keeps the specification of a component under the hash of its *container*, and the first
one wins (compiler/argocompiler/argo.go, ``saveComponentSpec``). So steps whose containers are equal
must have equal components: every parameter that any of them gives is declared, as optional, with
the value that most of them have; what differs stands in the tasks. What the component's function
takes by itself is not said at all: the description of a pod holds its component, and stands in the
status of a run up to seven times. It also makes a graph of many steps small.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.contract.digests import canonical_json
from components.contract.executor_input import CACHE_KEY
from components.contract.workspace import WORKSPACE
from pipelines.engines.kubeflow.ir.component_spec import Json, component
from pipelines.runs.graph import Step

_SAID_BY_TASKS = frozenset({CACHE_KEY, WORKSPACE})
"""Parameters without a default: the cache key stands in the tasks for all that does, and the driver
mounts a workspace for what a task says alone (driver/driver.go, ``needsWorkspaceMount``)."""


@dataclass(frozen=True)
class ContainerKind:
    """What several steps share.

    Attributes:
        name: Of the component, with a number where a component has several kinds.
        container: The container.
        pod: What Kubernetes alone understands of it.
        component: The component.
        defaults: What a parameter is where a task does not say it.
    """

    name: str
    container: Json
    pod: Json
    component: Json
    defaults: Mapping[str, Any]

    @property
    def reference(self) -> str:
        """The component's name in the pipeline."""
        return f"comp-{self.name}"

    @property
    def executor(self) -> str:
        """The executor's name in the pipeline."""
        return f"exec-{self.name}"

    def differing(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of a step's parameters that are not the defaults."""
        return {
            name: value
            for name, value in values.items()
            if name not in self.defaults or not _equal(self.defaults[name], value)
        }


def kinds(
    steps: Sequence[Step],
    values: Mapping[str, Mapping[str, Any]],
    container_of: Callable[[Step], Json],
    pod_of: Callable[[Step], Json],
) -> Mapping[str, ContainerKind]:
    """Return the kind of every step, by its name; equal arguments give equal kinds.

    Args:
        steps: All that are compiled together.
        values: By step its parameters; one without a value is left out.
        container_of: The container of a step.
        pod_of: What Kubernetes alone understands of it.
    """
    containers = {step.name: container_of(step) for step in steps}
    sharing: dict[bytes, list[Step]] = {}
    for step in steps:
        sharing.setdefault(canonical_json(containers[step.name]), []).append(step)
    numbers: Counter[str] = Counter()
    found: dict[str, ContainerKind] = {}
    for members in sharing.values():
        given = [values[step.name] for step in members]
        defaults = _defaults(given)
        shared = _component(members, values, defaults)
        pods: dict[bytes, ContainerKind] = {}
        for step in members:
            pod = pod_of(step)
            key = canonical_json(pod)
            if key not in pods:
                numbers[step.component] += 1
                label = step.component.replace("_", "-")
                if numbers[step.component] > 1:
                    label = f"{label}-{numbers[step.component]}"
                named = {"executorLabel": f"exec-{label}", **shared}
                pods[key] = ContainerKind(label, containers[step.name], pod, named, defaults)
            found[step.name] = pods[key]
    return found


def _defaults(given: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the value of every parameter that a task need not say: the commonest.

    Where one has none, its absence could not be told from the default.
    """
    defaults: dict[str, Any] = {}
    for name in sorted({name for values in given for name in values} - _SAID_BY_TASKS):
        if all(name in values for values in given):
            counted = Counter(canonical_json(values[name]) for values in given)
            commonest = max(counted, key=lambda content: (counted[content], content))
            if counted[commonest] == 1 < len(given):
                continue  # all differ
            defaults[name] = next(
                values[name] for values in given if canonical_json(values[name]) == commonest
            )
    return defaults


def _component(
    members: Sequence[Step], values: Mapping[str, Mapping[str, Any]], defaults: Mapping[str, Any]
) -> Json:
    """Return what the components of all members are together."""
    each = [component(step, "", values[step.name]) for step in members]
    outputs = each[0]["outputDefinitions"]
    assert all(one["outputDefinitions"] == outputs for one in each), members[0].component
    inputs = _merged(one["inputDefinitions"].get("artifacts", {}) for one in each)
    everywhere = [
        name
        for name in inputs
        if all(name in one["inputDefinitions"].get("artifacts", {}) for one in each)
    ]
    parameters = _merged(one["inputDefinitions"].get("parameters", {}) for one in each)
    own = {one.name: one.default for one in members[0].interface.parameters if not one.required}
    silent = {name for name, value in defaults.items() if name in own and _equal(own[name], value)}
    differing = {
        name
        for step in members
        for name, value in values[step.name].items()
        if name not in defaults or not _equal(defaults[name], value)
    }
    return {
        "inputDefinitions": {
            "artifacts": {
                name: artifact if name in everywhere else {**artifact, "isOptional": True}
                for name, artifact in inputs.items()
            },
            "parameters": {
                name: {
                    **parameter,
                    "isOptional": True,
                    **(
                        {"defaultValue": defaults[name]} if name in defaults.keys() - silent else {}
                    ),
                }
                for name, parameter in parameters.items()
                if name in differing or name not in silent
            },
        },
        "outputDefinitions": outputs,
    }


def _merged(parts: Iterable[Json]) -> Json:
    merged: Json = {}
    for part in parts:
        for name, content in part.items():
            assert merged.setdefault(name, content) == content, name
    return merged


def _equal(one: object, other: object) -> bool:
    """Whether two values are the same in JSON, where ``True`` is not 1."""
    return canonical_json(one) == canonical_json(other)
