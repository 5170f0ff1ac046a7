"""Opening an engine by its name: the one list of the engines that there are.

Each is loaded when it is opened, so that nobody waits for the libraries of another one; the list
itself costs nothing, so that help can show it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from components.contract.errors import UserError, suggest

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.config.configuration import Config
    from pipelines.config.kubeflow_auth import Auth
    from pipelines.engines.engine import Cluster, Engine
    from pipelines.engines.kubeflow.api.connection import Connection
    from pipelines.engines.kubeflow.ir.preflight import Reachable
    from pipelines.runs.cache import Cache
    from pipelines.runs.graph import Graph
    from pipelines.stores.store import Store


@dataclass(frozen=True)
class Request:
    """What an engine is asked for.

    Attributes:
        config: What to run.
        graph: What ``config`` describes.
        cluster: Where, for an engine that is not of this machine.
        remeasure: Measure again what was disturbed the last time.
        store: Where results are kept, and how devices were when they were seen last.
    """

    config: Config
    graph: Graph
    cluster: Cluster
    remeasure: bool
    store: Store


Opener: TypeAlias = "Callable[[Cache, Path], Engine]"
"""Opens an engine, given where results are kept and a folder of this run's own on this machine.

It raises ``UserError`` where a Docker Engine or a cluster cannot be used.
"""


def choose(name: str, request: Request) -> Opener:
    """Find an engine, and refuse before anything is read what it cannot do.

    Args:
        name: One of ``ENGINES``.
        request: What it is asked for.

    Raises:
        UserError: There is no engine of that name, or it cannot do what is asked for.
    """
    if name not in ENGINES:
        raise UserError(f"there is no engine {name!r}", suggest(name, ENGINES))
    return ENGINES[name](request)


def _local(request: Request) -> Opener:
    from components.contract.images import extras  # loads what a command's help can do without
    from pipelines.engines.devices import check_devices

    for step in request.graph.steps:
        extras(step.component)
    if _estimates(request.graph):
        from components.devices.vela import vela_program

        vela_program()
    devices = check_devices(request.config, request.store)

    def opened(cache: Cache, work: Path) -> Engine:
        from pipelines.engines.machine.local import LocalRunner
        from pipelines.engines.machine.scheduler import Scheduler

        return Scheduler(LocalRunner(), cache, work, remeasure=request.remeasure, devices=devices)

    return opened


def _estimates(graph: Graph) -> list[str]:
    """Return the steps that ask for an estimate: of a program that no image has."""
    return [step.name for step in graph.steps if step.parameters.get("estimate")]


def _docker(request: Request) -> Opener:
    from pipelines.engines.devices import check_devices

    if asking := _estimates(request.graph):
        raise UserError(
            f"{asking[0]} asks for an estimate by ethos-u-vela, which no image has",
            "run it with --engine local, or remove `estimate` from the device",
        )
    devices = check_devices(request.config, request.store)

    def opened(cache: Cache, work: Path) -> Engine:
        from pipelines.engines.machine.docker import DockerRunner
        from pipelines.engines.machine.scheduler import Scheduler

        return Scheduler(
            DockerRunner(work), cache, work, remeasure=request.remeasure, devices=devices
        )

    return opened


def _kubeflow(request: Request) -> Opener:
    from pipelines.engines.devices_of_pods import ask_for_pods

    reachable = _reachable(request, "kubeflow", "the cluster's own")
    reachable = replace(reachable, devices=ask_for_pods(request.config, request.store))

    def opened(cache: Cache, work: Path) -> Engine:
        from pipelines.engines.kubeflow.engine import KubeflowEngine

        return KubeflowEngine(reachable, cache, work, request.cluster)

    return opened


def _vertex(request: Request) -> Opener:
    from pipelines.engines.kubeflow.ir import vertex

    reachable = _reachable(request, "vertex", "Vertex AI's own")
    vertex.check(request.graph, reachable.settings)

    def opened(cache: Cache, work: Path) -> Engine:
        from pipelines.engines.vertex.engine import VertexEngine

        return VertexEngine(reachable, cache, work, request.cluster)

    return opened


def _reachable(request: Request, engine: str, cache: str) -> Reachable:
    """Return what pods can reach; refuse what no cluster does."""
    from pipelines.engines.kubeflow.ir import preflight

    reachable = preflight.check(request.config, request.graph)
    if request.remeasure:
        raise UserError(
            f"the engine {engine} cannot measure again: its cache is {cache}",
            "set cache: false under kubeflow and run again",
        )
    return reachable


ENGINES: Mapping[str, Callable[[Request], Opener]] = {
    "local": _local,
    "docker": _docker,
    "kubeflow": _kubeflow,
    "vertex": _vertex,
}
"""Every engine by its name."""

INSTALLED = "local"
"""The engine whose steps run on what is installed here; those of all others run in images."""

CLUSTERED = ("kubeflow", "vertex")
"""Engines that run on a cluster: it has an address, and keeps runs itself."""


def connect(
    name: str, host: str | None, namespace: str | None, auth: Auth | None = None
) -> Connection:
    """Connect to the cluster that an engine runs on.

    Args:
        name: The engine; of ``CLUSTERED`` the one whose schedules slimline sets.
        host: Address of the cluster's API; None is the environment's.
        namespace: The user's; None where there is only one.
        auth: What says who asks; None takes what the environment has.

    Raises:
        UserError: The engine has no cluster, or the cluster cannot be reached.
    """
    if name not in CLUSTERED:
        raise UserError(
            f"the engine {name!r} keeps no runs and no schedules of its own",
            suggest(name, CLUSTERED),
        )
    if name == "vertex":
        raise UserError(
            "schedules and logs of the engine vertex cannot be reached from here",
            "let its own run what slimline compile --target vertex wrote: docs/kubeflow.md, Vertex "
            "AI; slimline sync --engine vertex imports what they ran; logs are in Cloud Logging",
        )
    from pipelines.engines.kubeflow.api.connection import Connection

    return Connection(host, namespace, auth=auth)
