"""The specification of the Argo Workflow that the server makes of a pipeline."""

from __future__ import annotations

from pipelines.engines.kubeflow.ir.component_spec import Json
from pipelines.engines.kubeflow.ir.sizes.launches import Launches
from pipelines.engines.kubeflow.ir.sizes.texts import compact, plain, sha256, sorted_json

_EXECUTOR_BYTES, _POD_BYTES = 441, 1_693
"""Of the two templates that a task which is tried again has by itself, without its name."""

_HERE = "{{inputs.parameters.parent-dag-id}}"


def arguments(launches: Launches) -> list[Json]:
    """Return the arguments of a Workflow: what the tasks share, and the root."""
    given: dict[str, str] = {}
    for task in launches.tasks.values():
        reference = task["componentRef"]["name"]
        kubernetes, executor = launches.kubernetes(task), launches.executor(task)
        if kubernetes is not None:
            given.setdefault(f"kubernetes-{reference}", sorted_json(kubernetes))
        shared = _shared(launches, task)
        given.setdefault(f"components-{shared}", sorted_json(plain(launches.component(task))))
        implementation = executor.get("container", executor.get("importer"))
        given.setdefault(f"implementations-{shared}", sorted_json(plain(implementation)))
    given["components-root"] = root_argument(launches)
    return [{"name": name, "value": value} for name, value in given.items()]


def root_argument(launches: Launches) -> str:
    """Return the whole root, as its driver is told of it."""
    return sorted_json(plain(launches.spec["root"]))


def root_tasks(launches: Launches) -> list[Json]:
    """Return the tasks of the template of the root: two for a step, one for an importer."""
    found: list[Json] = []
    for name, task in launches.tasks.items():
        text, shared = sorted_json(plain(task)), _shared(launches, task)
        component = {"name": "component", "value": _of_workflow(f"components-{shared}")}
        told = {"name": "task", "value": text}
        if not launches.is_step(task):
            importer = {"name": "importer", "value": _of_workflow(f"implementations-{shared}")}
            parent = {"name": "parent-dag-id", "value": _HERE}
            found.append(_task(name, [told, component, importer, parent], "system-importer"))
            continue
        driver = [
            component,
            told,
            {"name": "container", "value": _of_workflow(f"implementations-{shared}")},
        ]
        if launches.back_end.task_names:
            driver.append({"name": "task-name", "value": name})
        driver.append({"name": "parent-dag-id", "value": _HERE})
        if launches.kubernetes(task) is not None:
            kubernetes = _of_workflow(f"kubernetes-{task['componentRef']['name']}")
            driver.append({"name": "kubernetes-config", "value": kubernetes})
        after = " && ".join(f"{one}.Succeeded" for one in task.get("dependentTasks", ()))
        found.append(_task(f"{name}-driver", driver, "system-container-driver", after))
        output = f"{{{{tasks.{name}-driver.outputs.parameters."
        pod: list[Json] = [
            {"name": "pod-spec-patch", "value": f"{output}pod-spec-patch}}}}"},
            {
                "name": "cached-decision",
                "value": f"{output}cached-decision}}}}",
                "default": "false",
            },
        ]
        if not launches.back_end.templates_of_tasks:
            pod += retry_parameters(task)
        template = template_of(launches, name, "executor")
        found.append(_task(name, pod, template, f"{name}-driver.Succeeded"))
    return found


def retry_parameters(task: Json) -> list[Json]:
    """Return how a task is tried again, as its templates are told."""
    policy = task.get("retryPolicy")
    if not policy:
        return []
    values = {
        "max-count": policy["maxRetryCount"],
        "backoff-duration": policy["backoffDuration"].removesuffix("s"),
        "backoff-factor": f"{policy['backoffFactor']:g}",
        "backoff-max-duration": policy["backoffMaxDuration"].removesuffix("s"),
    }
    return [{"name": f"retry-{name}", "value": str(value)} for name, value in values.items()]


def template_of(launches: Launches, name: str, role: str) -> str:
    """Return the name of the template of a task.

    Args:
        launches: What drivers say.
        name: Of the task.
        role: ``executor`` or ``impl``.
    """
    if not launches.tasks[name].get("retryPolicy"):
        return f"system-container-{role}"
    prefix = name if launches.back_end.templates_of_tasks else "retry"
    return f"{prefix}-system-container-{role}"


def spec_bytes(launches: Launches) -> int:
    """Return how many bytes a Workflow has beside its status, with its metadata."""
    back_end = launches.back_end
    names = 7 * len(launches.pipeline) + 3 * 20  # of pipeline and run, wherever they stand
    size = back_end.frame_bytes + names
    size += len(compact(arguments(launches)).encode())
    size += len(compact(root_tasks(launches)).encode())
    if back_end.templates_of_tasks:
        for name, task in launches.tasks.items():
            if launches.is_step(task) and task.get("retryPolicy"):
                size += _EXECUTOR_BYTES + _POD_BYTES + 3 * len(name) + 2
    return size


def _task(name: str, parameters: list[Json], template: str, after: str = "") -> Json:
    depends = {"depends": after} if after else {}
    return {
        "name": name, "template": template, "arguments": {"parameters": parameters}, **depends
    }  # fmt: skip


def _of_workflow(argument: str) -> str:
    return f"{{{{workflow.parameters.{argument}}}}}"


def _shared(launches: Launches, task: Json) -> str:
    """Return the name under which the server keeps the component of a task."""
    if launches.is_step(task):
        return sha256(compact(launches.executor(task)["container"]))
    return task["componentRef"]["name"]
