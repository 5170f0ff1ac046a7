"""How long the Workflow is that the compiler makes of a pipeline, before any node is added.

``v2/compiler/argocompiler``: arguments hold each container, its component and its settings once; the
root template holds each task. The other templates are the same for every pipeline and have the length
that they had in the recordings.
"""

from __future__ import annotations

import json
from typing import Any

from tests.servers.kfp.workflow_json import WorkflowJson, compact

_REST = {"2.5.0": 1_660, "2.14.0": 1_637, "2.16.1": 1_751, "2.17.0": 2_014}
"""Metadata, what stands beside arguments and templates, and the status without its nodes."""

_TEMPLATES = {
    "2.5.0": 1_598 + 1_178 + 1_561 + 623,
    "2.14.0": 1_668 + 984 + 1_997 + 1_179 + 1_644 + 623,
    "2.16.1": 2_318 + 1_029 + 2_430 + 1_449 + 2_130 + 668,
    "2.17.0": 2_431 + 1_029 + 2_479 + 1_498 + 2_243 + 668,
}
"""Driver, executor, its pod, importer, root driver, entrypoint."""

_OWN_TEMPLATES = 441 + 1_693
"""On 2.5 executor and pod of each task that has a retry policy, besides its name, three times."""


def compiled_bytes(written: WorkflowJson) -> int:
    """Return the length of the Workflow without nodes."""
    version = written.release.version
    own = 0
    if written.release.templates_per_task:
        own = sum(
            _OWN_TEMPLATES + 3 * len(name)
            for name, task in written.tasks.items()
            if "retryPolicy" in task
        )
    length = len(compact(arguments(written))) + len(compact(root_template(written)))
    return length + own + _TEMPLATES[version] + _REST[version]


def start_fault(written: WorkflowJson) -> str | None:
    """Return what keeps the root's driver from being started, or None.

    Argo below 3.6 puts a pod's template, with its arguments filled in, into one environment variable;
    up to 2.16 the whole root graph is one argument of the driver.
    """
    limit = written.release.argument_bytes
    root = compact(written.spec["root"])
    template = 2 * len(json.dumps(root)) + _TEMPLATES["2.5.0"] // 3
    if written.release.template_in_environment and template >= limit:
        return (
            f"exec /var/run/argo/argoexec: argument list too long (ARGO_TEMPLATE: {template} bytes)"
        )
    if written.release.root_as_argument and len(root.encode()) >= limit:
        return "exec /bin/driver: argument list too long"
    return None


def arguments(written: WorkflowJson) -> dict[str, Any]:
    """Return the parameters of the Workflow."""
    made: dict[str, str] = {}
    for name in sorted(written.tasks):
        executor, component = written.executor(name), written.component(name)
        label = written.tasks[name]["componentRef"]["name"]
        if "importer" in executor:
            made[f"components-{label}"] = compact(component)
            made[f"implementations-{label}"] = compact(executor["importer"])
            continue
        if config := written.config(name):
            made[f"kubernetes-{label}"] = compact(config)
        key = written.key(name)
        made[f"components-{key}"] = compact(written.shared(name))
        made[f"implementations-{key}"] = compact(executor["container"])
    made["components-root"] = compact(written.spec["root"])
    return {"parameters": [{"name": name, "value": value} for name, value in made.items()]}


def root_template(written: WorkflowJson) -> dict[str, Any]:
    """Return the template of the root graph."""
    tasks: list[dict[str, Any]] = []
    for name in sorted(written.tasks):
        tasks += _tasks(written, name)
    annotations = {"sidecar.istio.io/inject": "false"}
    if written.release.numbered_logs:
        annotations["pipelines.kubeflow.org/v2_component"] = "true"
    return {
        "dag": {"tasks": tasks},
        "inputs": {"parameters": [{"name": "parent-dag-id"}]},
        "metadata": {"annotations": annotations},
        "name": "root",
        "outputs": {},
    }


def _tasks(written: WorkflowJson, name: str) -> list[dict[str, Any]]:
    task = written.tasks[name]
    label = task["componentRef"]["name"]
    parent = _given("parent-dag-id", "{{inputs.parameters.parent-dag-id}}")
    if "importer" in written.executor(name):
        parameters = [
            _given("task", compact(task)),
            _given("component", f"{{{{workflow.parameters.components-{label}}}}}"),
            _given("importer", f"{{{{workflow.parameters.implementations-{label}}}}}"),
            parent,
        ]
        return [_task(name, "system-importer", parameters, task.get("dependentTasks", ()))]
    key = written.key(name)
    driver = [
        _given("component", f"{{{{workflow.parameters.components-{key}}}}}"),
        _given("task", compact(task)),
        _given("container", f"{{{{workflow.parameters.implementations-{key}}}}}"),
        *([] if written.release.templates_per_task else [_given("task-name", name)]),
        parent,
    ]
    if written.config(name):
        place = f"{{{{workflow.parameters.kubernetes-{label}}}}}"
        driver.append(_given("kubernetes-config", place))
    made = f"tasks.{name}-driver.outputs.parameters"
    executor = [
        _given("pod-spec-patch", f"{{{{{made}.pod-spec-patch}}}}"),
        {"default": "false", **_given("cached-decision", f"{{{{{made}.cached-decision}}}}")},
        *written.retry_parameters(name, default=False),
    ]
    template = written.template("graph", name)
    return [
        _task(f"{name}-driver", "system-container-driver", driver, task.get("dependentTasks", ())),
        _task(name, template, executor, (f"{name}-driver",)),
    ]


def _given(name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": value}


def _task(name: str, template: str, parameters: list[dict[str, str]], needs: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"arguments": {"parameters": parameters}}
    if needs:
        made["depends"] = " && ".join(f"{need}.Succeeded" for need in sorted(needs))
    return {**made, "name": name, "template": template}
