"""What Argo keeps of a run: the nodes of a Workflow, their names, states and order.

Follows the recorded Workflows of four versions and, where none shows it, argo-workflows
``workflow/controller``. A container task is a driver, a graph of its own, and in that an
``executor`` with one pod for each attempt; from 2.17 on each node has a node of type Retry above it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import count, takewhile
from typing import Any

from tests.servers.kfp.releases import Release

OVER = ("Succeeded", "Failed", "Error", "Skipped", "Omitted")
BAD = ("Failed", "Error", "Omitted")


@dataclass(frozen=True)
class Task:
    """One task of the root graph, as the IR has it.

    Attributes:
        name: Of the task.
        needs: The tasks that come before it.
        importer: It is an importer.
        retries: How often its own policy runs it again.
        cached: KFP may take its result from an earlier run.
    """

    name: str
    needs: tuple[str, ...] = ()
    importer: bool = False
    retries: int = 0
    cached: bool = True


@dataclass
class Node:
    """A node of a Workflow; ``phases`` has each phase with the time of its begin."""

    name: str
    display_name: str
    type: str
    started: str
    phases: list[tuple[str, str]]
    boundary: str = ""
    finished: str | None = None
    message: str = ""
    children: list[str] = field(default_factory=list)

    @property
    def phase(self) -> str:
        return self.phases[-1][0]

    @property
    def over(self) -> bool:
        return self.phase in OVER


def tasks_of(spec: Mapping[str, Any]) -> dict[str, Task]:
    """Return the tasks of a pipeline spec, in its order; none where it has no root."""
    executors = spec.get("deploymentSpec", {}).get("executors", {})
    made: dict[str, Task] = {}
    for name, task in spec.get("root", {}).get("dag", {}).get("tasks", {}).items():
        component = spec["components"][task["componentRef"]["name"]]
        executor = executors.get(component.get("executorLabel", ""), {})
        needs = tuple(task.get("dependentTasks", ()))
        retries = int(task.get("retryPolicy", {}).get("maxRetryCount", 0))
        cached = bool(task.get("cachingOptions", {}).get("enableCache"))
        made[name] = Task(name, needs, "importer" in executor, retries, cached)
    return made


def fnv32a(text: str) -> int:
    """Return Go's ``hash/fnv.New32a`` of a text."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


class Workflow:
    """The nodes of one run.

    Args:
        name: Of the Workflow.
        release: Whose names and order it follows.
        tasks: What runs, in the order of the IR.
        now: The time, later at each call.
    """

    def __init__(
        self, name: str, release: Release, tasks: Mapping[str, Task], now: Callable[[], str]
    ) -> None:
        self.name = name
        self.release = release
        self.tasks = dict(tasks)
        self.nodes: dict[str, Node] = {}
        self.phase = "Pending"
        self.message = ""
        self._now = now

    # addresses of nodes ------------------------------------------------------------------------

    def id_of(self, node: str) -> str:
        """Return a node's identifier (``wfv1.Workflow.NodeID``): FNV-1a over its name."""
        if node == self.name:
            return self.name
        return f"{self.name}-{fnv32a(node)}"

    def _inside(self, node: str) -> str:
        """Return the name under which a node's own pod or graph stands."""
        return f"{node}(0)" if self.release.retries_every_template else node

    @property
    def entrypoint(self) -> str:
        return self._inside(self.name)

    @property
    def root(self) -> str:
        return self._inside(f"{self.entrypoint}.root")

    def node_of(self, task: str) -> str:
        """Return the name of a task's own node, above what it consists of."""
        return f"{self.root}.{task}"

    def pod_of(self, task: str, attempt: int = 0) -> str:
        """Return the name of the node of a step's pod."""
        return f"{self._executor(task)}({attempt})" if self._retried(task) else self._executor(task)

    def _executor(self, task: str) -> str:
        return f"{self._inside(self.node_of(task))}.executor"

    def _retried(self, task: str) -> bool:
        known = self.tasks.get(task)
        return self.release.retries_every_template or bool(known is None or known.retries)

    def attempts(self, task: str) -> list[Node]:
        """Return the pods of a step, the first attempt first."""
        names = map(partial(self.pod_of, task), count() if self._retried(task) else (0,))
        return [self.nodes[name] for name in takewhile(self.nodes.__contains__, names)]

    # making and ending nodes -------------------------------------------------------------------

    def _add(self, name: str, kind: str, phase: str, parents: Iterable[str], boundary: str) -> Node:
        moment = self._now()
        node = Node(name, name.rpartition(".")[2], kind, moment, [(phase, moment)], boundary)
        if phase in OVER:
            node.finished = moment
        self.nodes[name] = node
        for parent in parents:
            above = self.nodes[parent]
            if name not in above.children:
                above.children.append(name)
        return node

    def _open(self, name: str, kind: str, parents: Iterable[str], boundary: str) -> Node:
        """Add a node, and its Retry above it where the version has one."""
        if self.release.retries_every_template:
            self._add(name, "Retry", "Running", parents, boundary)
            parents = (name,)
        phase = "Pending" if kind == "Pod" else "Running"
        return self._add(self._inside(name), kind, phase, parents, boundary)

    def _close(self, node: str, phase: str, message: str = "") -> None:
        found = self.nodes[node]
        if not found.over:
            moment = self._now()
            found.phases.append((phase, moment))
            found.finished, found.message = moment, message

    def _close_both(self, name: str, phase: str, message: str = "") -> None:
        self._close(self._inside(name), phase, message)
        self._close(name, phase, message)

    def _omit(self, name: str, parents: Iterable[str]) -> None:
        self._add(name, "Skipped", "Omitted", parents, self.root)

    # what the controller does --------------------------------------------------------------------

    def begin(self, root_driver: str = "Succeeded") -> None:
        """Start: the root's driver runs to its end, and the root graph begins."""
        self.phase = "Running"
        self._open(self.name, "DAG", (), "")
        driver = f"{self.entrypoint}.root-driver"
        self._open(driver, "Pod", (self.entrypoint,), self.entrypoint)
        self._close_both(driver, root_driver)
        outside = f"{self.entrypoint}.root"
        if root_driver != "Succeeded":
            self._add(outside, "Skipped", "Omitted", (self._inside(driver),), self.entrypoint)
            self.fail_root()
            return
        self._open(outside, "DAG", (self._inside(driver),), self.entrypoint)

    def importing(self, task: str, phase: str = "Succeeded") -> None:
        """Run an importer to its end."""
        self._open(self.node_of(task), "Pod", self._before(task), self.root)
        self._close_both(self.node_of(task), phase)

    def driver(self, task: str, phase: str = "Succeeded", message: str = "") -> None:
        """Run a task's driver to its end."""
        driver = f"{self.node_of(task)}-driver"
        if driver not in self.nodes:
            self._open(driver, "Pod", self._before(task), self.root)
        self._close_both(driver, phase, message)
        if phase != "Succeeded":
            self._omit(self.node_of(task), (self._inside(driver),))

    def execute(self, task: str, attempt: int = 0) -> None:
        """Begin a step's pod, after its driver has ended; a later attempt follows one that failed."""
        if f"{self.node_of(task)}-driver" not in self.nodes:
            self.driver(task)
        outside = self.node_of(task)
        if outside not in self.nodes:
            self._open(outside, "DAG", (self._inside(f"{outside}-driver"),), self.root)
        graph, executor = self._inside(outside), self._executor(task)
        if self._retried(task) and executor not in self.nodes:
            self._add(executor, "Retry", "Running", (graph,), graph)
        parent = executor if self._retried(task) else graph
        self._add(self.pod_of(task, attempt), "Pod", "Pending", (parent,), graph)

    def pod_over(self, task: str, attempt: int, phase: str, message: str = "") -> None:
        """End one attempt of a step."""
        self._close(self.pod_of(task, attempt), phase, message)

    def step_over(self, task: str, phase: str, message: str = "") -> None:
        """End a step with its last attempt."""
        for pod in self.attempts(task):
            self._close(pod.name, phase, message)
        for name in (self._executor(task), *self._both(self.node_of(task))):
            self._close(name, phase, message)

    def cached(self, task: str) -> None:
        """End a step whose result KFP had: its ``executor`` is skipped."""
        self.driver(task)
        outside = self.node_of(task)
        self._open(outside, "DAG", (self._inside(f"{outside}-driver"),), self.root)
        graph = self._inside(outside)
        self._add(self._executor(task), "Skipped", "Skipped", (graph,), graph)
        self._close_both(outside, "Succeeded")

    def settle(self) -> None:
        """Omit each task whose predecessors are over and did not all succeed."""
        changed = True
        while changed:
            changed = False
            for task in self.tasks.values():
                before = [self.phase_of(name) for name in task.needs]
                left = self.phase_of(task.name) is None and bool(before)
                if left and all(p in OVER for p in before) and any(p in BAD for p in before):
                    self._omit_task(task)
                    changed = True

    def ready(self) -> list[str]:
        """Return the tasks that nothing keeps from beginning."""
        return [
            task.name
            for task in self.tasks.values()
            if self.node_of(task.name) not in self.nodes
            and all(self.phase_of(name) == "Succeeded" for name in task.needs)
        ]

    def _omit_task(self, task: Task) -> None:
        if self.root not in self.nodes:
            return
        above, name = self._before(task.name), self.node_of(task.name)
        if not task.importer:
            if f"{name}-driver" not in self.nodes:
                self._omit(f"{name}-driver", above)
            above = (f"{name}-driver",)
        self._omit(name, above)

    def phase_of(self, task: str) -> str | None:
        """Return the phase of a task; None where Argo has not come to it."""
        node = self.nodes.get(self.node_of(task))
        driver = self.nodes.get(f"{self.node_of(task)}-driver")
        if node is None:
            return None if driver is None else "Running"
        return node.phase

    def over(self, phase: str, message: str = "") -> None:
        """End the Workflow; what runs is killed, what had not begun is omitted."""
        if not self.nodes:  # it was cancelled before Argo had looked at it
            self.phase, self.message = phase, message
            return
        if phase != "Succeeded":
            for node in list(self.nodes.values())[::-1]:
                if node.type == "Pod":
                    self._close(node.name, "Failed", message)
            for node in list(self.nodes.values())[::-1]:
                self._close(node.name, "Failed", message)
            self.settle()
            while left := self.ready():
                for name in left:
                    self._omit_task(self.tasks[name])
                self.settle()
        for name in (f"{self.entrypoint}.root", self.name):
            for both in self._both(name):
                self._close(both, phase, message)
        self.phase, self.message = phase, message

    def fail_root(self) -> None:
        """End the Workflow after the root's driver has failed; nothing else had begun."""
        for name in self._both(self.name):
            self._close(name, "Failed")
        self.phase = "Failed"

    def break_off(self, message: str) -> None:
        """End as Argo does when the cluster takes the Workflow no more: the nodes stay as they are."""
        self.phase, self.message = "Error", message

    def retry(self) -> None:
        """``FormulateRetryWorkflow``: what failed and what was left out goes, the rest stays."""
        gone = {name for name, node in self.nodes.items() if node.phase in BAD}
        kept = {f"{self.entrypoint}.root", self.root, self.name, self.entrypoint}
        for name in gone:
            node = self.nodes[name]
            if name in kept and node.phase != "Omitted":
                node.phases.append(("Running", self._now()))
                node.finished = None
            else:
                del self.nodes[name]
        for name in [name for name in self.nodes if self._lost_its_graph(name, gone - kept)]:
            del self.nodes[name]
        for node in self.nodes.values():
            node.children = [name for name in node.children if name in self.nodes]
        self.phase, self.message = "Running", ""

    def _lost_its_graph(self, name: str, gone: set[str]) -> bool:
        return any(name.startswith((f"{above}.", f"{above}(")) for above in gone)

    # who comes before whom -------------------------------------------------------------------------

    def _both(self, name: str) -> Iterator[str]:
        """Yield a node and its Retry, the inner first, as far as they exist."""
        yield from (one for one in dict.fromkeys((self._inside(name), name)) if one in self.nodes)

    def _before(self, task: str) -> tuple[str, ...]:
        """Return the nodes that a task's first node is a child of."""
        known = self.tasks.get(task)
        needs = [name for name in (known.needs if known else ()) if self.phase_of(name)]
        return tuple(self._last(name) for name in needs) or (self.root,)

    def _last(self, task: str) -> str:
        """Return the node of a task that its successors are children of."""
        inside = self._inside(self.node_of(task))
        if self.release.retries_every_template:
            return inside if inside in self.nodes else self.node_of(task)
        pods = self.attempts(task)
        if pods:
            return pods[-1].name
        executor = self._executor(task)
        return executor if executor in self.nodes else self.node_of(task)
