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
    from pipelines.engines.devices import Looked
    from pipelines.engines.engine import Cluster, Engine
    from pipelines.engines.kubeflow.api.connection import Connection
    from pipelines.engines.kubeflow.ir.preflight import Reachable
    from pipelines.runs.cache import Cache
    from pipelines.runs.graph import Graph, Step
    from pipelines.runs.keys import Fingerprints
    from pipelines.runs.live.events import Event
    from pipelines.sources.snapshot import Snapshot
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
        sources: Returns the snapshot of every source of the graph; asked where that is needed.
        tell: Told what happens before the engine is open.
    """

    config: Config
    graph: Graph
    cluster: Cluster
    remeasure: bool
    store: Store
    sources: Callable[[], Mapping[str, Snapshot]]
    tell: Callable[[Event], None]


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

    for step in request.graph.steps:
        extras(step.component)
    if _estimates(request.graph):
        from components.devices.vela import vela_program

        vela_program()
    devices = _asked(request)

    def opened(cache: Cache, work: Path) -> Engine:
        from pipelines.engines.machine.local import LocalRunner
        from pipelines.engines.machine.scheduler import Scheduler

        return Scheduler(LocalRunner(), cache, work, remeasure=request.remeasure, devices=devices)

    return opened


def _estimates(graph: Graph) -> list[str]:
    """Return the steps that ask for an estimate: of a program that no image has."""
    return [step.name for step in graph.steps if step.parameters.get("estimate")]


def _docker(request: Request) -> Opener:
    if asking := _estimates(request.graph):
        raise UserError(
            f"{asking[0]} asks for an estimate by ethos-u-vela, which no image has",
            "run it with --engine local, or remove `estimate` from the device",
        )
    devices = _asked(request, in_images=True)

    def opened(cache: Cache, work: Path) -> Engine:
        from pipelines.engines.machine.docker import DockerRunner
        from pipelines.engines.machine.scheduler import Scheduler

        return Scheduler(
            DockerRunner(work), cache, work, remeasure=request.remeasure, devices=devices
        )

    return opened


def _asked(request: Request, *, in_images: bool = False) -> Fingerprints:
    """Ask the devices of a configuration whether they can measure; return their fingerprints.

    One that cannot, and all of whose results are in the store, the run does without. Who measures
    again what was disturbed needs all of them.

    Raises:
        UserError: One cannot, and a step has to run on it.
    """
    from pipelines.engines.devices import check_devices
    from pipelines.runs.live.events import DeviceNotNeeded
    from pipelines.runs.stored_steps import stored_steps

    def spared(looked: Looked, devices: Fingerprints) -> bool:
        from components.contract.images import component_environment
        from pipelines.images.building import image_environment, step_environment
        from pipelines.runs.cache import Cache
        from pipelines.runs.workspace import workspace_root

        def environment(step: Step) -> str:
            if in_images and not step.with_users_programs:
                return step_environment(step.component, image_environment(step.image))
            return component_environment(step.component, step.image)

        measuring = {step.name for step in request.graph.steps if step.device == looked.name}
        cache = Cache(request.store, workspace_root(request.store))
        stored = stored_steps(request.graph, request.sources(), cache, environment, devices)
        if not measuring <= stored:
            return False
        assert looked.fault is not None, "it would be needed otherwise"
        request.tell(DeviceNotNeeded(looked.name, len(measuring), looked.fault.what))
        return True

    return check_devices(request.config, request.store, None if request.remeasure else spared)


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
