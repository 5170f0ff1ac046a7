"""The status of the nodes of an Argo Workflow at its end, when all that could run has run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipelines.engines.kubeflow.ir.component_spec import Json
from pipelines.engines.kubeflow.ir.sizes.launches import Launches
from pipelines.engines.kubeflow.ir.sizes.texts import number, plain, sorted_json, uuid
from pipelines.engines.kubeflow.ir.sizes.workflow_spec import (
    retry_parameters,
    root_argument,
    template_of,
)

_CACHED: Json = {"name": "cached-decision", "value": "false", "default": "false"}
_CONDITION: Json = {
    "name": "condition",
    "value": "nil",
    "valueFrom": {"path": "/tmp/outputs/condition", "default": "true"},  # noqa: S108 in a pod
}
_ITERATION: Json = {"name": "iteration-index", "value": "-1", "default": "-1"}
_PARENT: Json = {"name": "parent-dag-id", "value": "1"}


class NodeStatus:
    """Writes the nodes of a Workflow.

    Args:
        launches: What the drivers say of its pods.
    """

    def __init__(self, launches: Launches) -> None:
        self._launches = launches
        self._retries_all = launches.back_end.retries_all
        self._workflow = f"{launches.pipeline}-{uuid('workflow')[:5]}"
        self._written = list(self._nodes())

    def text(self) -> str:
        """Return the JSON of all nodes, in the order in which Argo has them."""
        nodes = {node["id"]: node for node in self._written}
        return sorted_json(nodes)

    def results_bytes(self) -> int:
        """Return how many bytes tell that the result of every pod has arrived."""
        if not self._launches.back_end.counts_results:
            return 0
        pods = [node for node in self._written if node["type"] == "Pod"]
        return sum(len(f'"{node["id"]}":true,') for node in pods)

    def _nodes(self) -> Iterator[Json]:
        launches = self._launches
        followers: dict[str, list[str]] = {name: [] for name in launches.tasks}
        for name, task in launches.tasks.items():
            for one in task.get("dependentTasks", ()):
                followers[one].append(name)
        whole = f"{self._workflow}(0)" if self._retries_all else self._workflow
        yield from self._group("", self._workflow, "DAG", "entrypoint", [])
        yield from self._root_driver(whole)
        root = [_PARENT]
        yield from self._group(f"{whole}.", "root", "DAG", "root", root)
        above = f"{whole}.root(0)." if self._retries_all else f"{whole}.root."
        for name, task in launches.tasks.items():
            after = [f"{above}{one}" for one in followers[name]]
            if launches.is_step(task):
                yield from self._step(above, name, task, after)
            else:
                yield from self._importer(above, name, task, after)

    def _root_driver(self, whole: str) -> Iterator[Json]:
        names = ["task-name"] if self._launches.back_end.task_names else []
        given: list[Json] = [
            {"name": "component", "value": root_argument(self._launches)},
            {"name": "runtime-config", "value": "{}" * 40, "default": ""},
            *({"name": name, "value": "", "default": ""} for name in ("task", *names)),
            {"name": "parent-dag-id", "value": "0", "default": "0"},
            _ITERATION,
            {"name": "driver-type", "value": "ROOT_DAG", "default": "DAG"},
        ]
        path = "/tmp/outputs/"  # noqa: S108 in a pod
        made: list[Json] = [
            {"name": "execution-id", "value": "1", "valueFrom": {"path": f"{path}execution-id"}},
            {
                "name": "iteration-count",
                "value": "0",
                "valueFrom": {"path": f"{path}iteration-count", "default": "0"},
            },
            _CONDITION,
        ]
        yield from self._pod(f"{whole}.", "root-driver", "system-dag-driver", given, made, [])

    def _importer(self, above: str, name: str, task: Json, after: list[str]) -> Iterator[Json]:
        given: list[Json] = [
            {"name": "task", "value": sorted_json(plain(task))},
            {"name": "component", "value": sorted_json(plain(self._launches.component(task)))},
            {"name": "importer", "value": sorted_json(self._launches.executor(task)["importer"])},
            _PARENT,
        ]
        yield from self._pod(above, name, "system-importer", given, None, after)

    def _step(self, above: str, name: str, task: Json, after: list[str]) -> Iterator[Json]:
        launches = self._launches
        names = [{"name": "task-name", "value": name}] if launches.back_end.task_names else []
        patch: Json = {"name": "pod-spec-patch", "value": launches.pod_spec_patches[name]}
        kubernetes = sorted_json(launches.kubernetes(task) or {})
        driver: list[Json] = [
            {"name": "component", "value": sorted_json(plain(launches.component(task)))},
            {"name": "task", "value": sorted_json(plain(task))},
            {
                "name": "container",
                "value": sorted_json(plain(launches.executor(task)["container"])),
            },
            *names,
            _PARENT,
            _ITERATION,
            {"name": "kubernetes-config", "value": kubernetes, "default": ""},
        ]
        path = "/tmp/outputs/"  # noqa: S108 in a pod
        made: list[Json] = [
            {**patch, "valueFrom": {"path": f"{path}pod-spec-patch", "default": ""}},
            {**_CACHED, "valueFrom": {"path": f"{path}cached-decision", "default": "false"}},
            _CONDITION,
        ]
        template = "system-container-driver"
        yield from self._pod(above, f"{name}-driver", template, driver, made, [f"{above}{name}"])
        retry = [] if launches.back_end.templates_of_tasks else retry_parameters(task)
        defaults = [{**one, "default": "0"} for one in retry]
        template = template_of(launches, name, "executor")
        yield from self._group(above, name, "DAG", template, [patch, _CACHED, *defaults], after)
        inside = f"{above}{name}(0)." if self._retries_all else f"{above}{name}."
        template = template_of(launches, name, "impl")
        tried = bool(task.get("retryPolicy"))
        yield from self._pod(
            inside, "executor", template, [patch, *retry], None, after, tried=tried
        )

    def _pod(
        self,
        above: str,
        name: str,
        template: str,
        given: list[Json],
        made: list[Json] | None,
        after: list[str],
        *,
        tried: bool = False,
    ) -> Iterator[Json]:
        """Yield the node of a pod, and the one above it that tries it again."""
        again = tried or self._retries_all
        label = f"{name}(0)" if again else name
        logs = self._launches.back_end.logs
        pod = f"{self._workflow}-{template}-{number(10, f'{above}{label}')}"
        log = {
            "name": "main-logs",
            "s3": {"key": f"{logs}{self._workflow}/2026/11/26/{pod}/main.log"},
        }
        outputs: Json = {"artifacts": [log], "exitCode": "0"}
        if made is not None:
            outputs["parameters"] = made
        more: Json = {"inputs": {"parameters": given}, "outputs": outputs}
        if again:
            yield self._node(above, name, "Retry", template, [f"{above}{label}"], more)
            more = {**more, "nodeFlag": {"retried": True}}
        if self._retries_all:
            more["taskResultSynced"] = True
        yield self._node(above, label, "Pod", template, after, more)

    def _group(
        self,
        above: str,
        name: str,
        kind: str,
        template: str,
        given: list[Json],
        after: list[str] | None = None,
    ) -> Iterator[Json]:
        """Yield the node of a template of tasks, and the one above it that tries it again."""
        inputs: Json = {"inputs": {"parameters": given}} if given else {}
        last = f"{above}{name}{'(0)' if self._retries_all else ''}.executor(0)"
        ends = {"outboundNodes": [self._id(last)]}
        if not self._retries_all:
            children = [f"{above}{name}.executor"]
            yield self._node(above, name, kind, template, children, {**inputs, **ends})
            return
        yield self._node(above, name, "Retry", template, [f"{above}{name}(0)"], inputs)
        more = {**inputs, **ends, "nodeFlag": {"retried": True}}
        children = [f"{above}{name}(0).executor", *(after or ())]
        yield self._node(above, f"{name}(0)", kind, template, children, more)

    def _node(
        self,
        above: str,
        label: str,
        kind: str,
        template: str,
        children: list[str],
        more: Mapping[str, object],
    ) -> Json:
        name = f"{above}{label}"
        # What belongs to one task happens at about one time.
        task = name.replace("(0)", "").removesuffix(".executor").removesuffix("-driver")
        at = f"2026-11-26T08:{number(2, 'minute', task)}:"
        node: Json = {
            "boundaryID": self._id(above.removesuffix(".")),
            "children": [self._id(one) for one in children],
            "displayName": label,
            "finishedAt": f"{at}{number(2, 'end', task)}Z",
            "id": self._id(name),
            "name": name,
            "phase": "Succeeded",
            "progress": "1/1",
            "resourcesDuration": {"cpu": 0, "memory": int(number(2, "memory", task))},
            "startedAt": f"{at}{number(2, 'begin', task)}Z",
            "templateName": template,
            "templateScope": f"local/{self._workflow}",
            "type": kind,
            **more,
        }
        if not children:
            del node["children"]
        return node

    def _id(self, *name: str) -> str:
        return f"{self._workflow}-{number(10, *name)}"
