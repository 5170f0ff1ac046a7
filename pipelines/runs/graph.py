"""The graph of one run: its steps and what flows between them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Any, cast

from components.contract.digests import digest
from components.contract.images import GPU_IMAGE
from components.contract.interface import Interface, interface_of
from components.contract.types import ImageName
from pipelines.config.devices import HOST


@dataclass(frozen=True)
class Ref:
    """The output called ``output`` of the step called ``step``."""

    step: str
    output: str


@dataclass(frozen=True)
class SourceRef:
    """A snapshot of the user's own files that the host made: the data, a model, weights."""

    name: str


@dataclass(frozen=True)
class Kept:
    """An artifact that the store holds already, whoever made it: its tree digest."""

    tree: str


Flow = Ref | SourceRef | Kept | tuple[Ref, ...] | None
"""What enters an input: one artifact, many in order, or nothing where the input is optional."""

Place = str | tuple[str, ...]
"""Where a source is: one path or address, or several that are one source together."""


@dataclass(frozen=True)
class Step:
    """One execution of a component.

    Attributes:
        name: Unique in its graph, lower case letters, digits and hyphens; people read it in the
            picture.
        component: Which function runs.
        inputs: What enters every input port of the component.
        parameters: Complete and checked values of every parameter.
        memory_gb: Resident memory after which the step is ended.
        time_limit_s: Wall time after which the step is ended.
        occupies: The device that it needs for itself alone: ``host``, which is the machine that it
            runs on, or the name of another one; None where it measures nothing.
        gpu: How many GPUs it computes on: none, or one.
    """

    name: str
    component: str
    inputs: Mapping[str, Flow]
    parameters: Mapping[str, object]
    memory_gb: float
    time_limit_s: float
    occupies: str | None = None
    gpu: int = 0

    @property
    def interface(self) -> Interface:
        """The interface of the step's component."""
        return interface_of(self.component)

    @property
    def image(self) -> ImageName:
        """The image that the step runs in."""
        return GPU_IMAGE if self.gpu else self.interface.image

    @property
    def threads(self) -> int:
        """How many cores of the machine that it runs on the step keeps busy."""
        if self.elsewhere:
            return 0  # it waits for the device, whose threads they are
        threads = self.parameters.get("threads", 1)
        assert isinstance(threads, int)
        return threads

    @property
    def alone(self) -> bool:
        """Whether nothing else may run beside it: it measures the machine that it runs on."""
        return self.occupies == HOST

    @property
    def elsewhere(self) -> bool:
        """Whether it measures on a device that the machine it runs on has to reach."""
        return self.occupies not in (None, HOST)

    @property
    def with_users_programs(self) -> bool:
        """Whether it needs programs and settings of whoever runs it: ssh and its keys, a browser.

        No image has them, so wherever other steps run, this one is a process of this machine.
        """
        return self.device not in (None, HOST)

    @property
    def device(self) -> str | None:
        """What a configuration calls the device that it measures on; None where it measures none.

        It may be called otherwise than what it occupies: a browser of this machine, or the second
        name of a phone.
        """
        return str(self.parameters.get("device", self.occupies)) if self.occupies else None

    @property
    def opens_sealed(self) -> bool:
        """Whether the step looks at the sealed images, which the store keeps a ledger of."""
        return self.parameters.get("split") == "sealed"

    @property
    def refs(self) -> tuple[Ref, ...]:
        """Every output of other steps that enters this one."""
        return tuple(ref for flow in self.inputs.values() for ref in refs_in(flow))


def refs_in(flow: Flow) -> tuple[Ref, ...]:
    """Return the references in one flow."""
    if isinstance(flow, tuple):
        return flow
    return (flow,) if isinstance(flow, Ref) else ()


@dataclass(frozen=True)
class Graph:
    """The steps of a run; static, so the same picture on every engine.

    Attributes:
        name: The configuration's name.
        steps: Any order; ``ordered`` sorts.
        sources: What the host snapshots before the run: name to place.
        outside: Names of steps that some of these read from and that are not among them, where it
            is a part of a larger graph.
    """

    name: str
    steps: tuple[Step, ...]
    sources: Mapping[str, Place]
    outside: frozenset[str] = frozenset()

    def part(self, names: Collection[str]) -> Graph:
        """Return the graph of some of the steps."""
        steps = tuple(step for step in self.steps if step.name in names)
        read = {ref.step for step in steps for ref in step.refs}
        return replace(self, steps=steps, outside=frozenset(read - {step.name for step in steps}))

    @cached_property
    def by_name(self) -> Mapping[str, Step]:
        """The steps by their names."""
        return {step.name: step for step in self.steps}

    @cached_property
    def ordered(self) -> tuple[Step, ...]:
        """The steps such that each comes after all that it needs.

        Raises:
            ValueError: A name is used twice, a reference leads nowhere, or there is a cycle.
        """
        if len(self.by_name) != len(self.steps):
            raise ValueError(f"graph {self.name}: a step name is used twice")
        for step in self.steps:
            for ref in step.refs:
                if ref.step not in self.outside:
                    self._check(step, ref)
        upstream = {
            step.name: {ref.step for ref in step.refs} - self.outside for step in self.steps
        }
        try:
            return tuple(self.by_name[name] for name in TopologicalSorter(upstream).static_order())
        except CycleError as error:
            raise ValueError(f"graph {self.name}: cycle {' -> '.join(error.args[1])}") from None

    def _check(self, step: Step, ref: Ref) -> None:
        if ref.step not in self.by_name:
            raise ValueError(f"{step.name} needs {ref.step}, which is no step")
        producer = self.by_name[ref.step].interface
        if ref.output not in {port.name for port in producer.outputs}:
            raise ValueError(f"{step.name} needs {ref.step}.{ref.output}, which is no output")

    @cached_property
    def digest(self) -> str:
        """The digest of what would run: steps, parameters and flow, not the data."""
        return digest("graph", self.content)

    @property
    def content(self) -> list[dict[str, object]]:
        """What ``digest`` is the digest of: the steps in the order of their names."""
        return [_plain(step) for step in sorted(self.steps, key=lambda step: step.name)]

    def to_json(self) -> dict[str, object]:
        """Return a form from which ``from_json`` makes an equal graph."""
        return {
            "name": self.name,
            "steps": [_plain(step) for step in self.steps],
            "sources": dict(self.sources),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Graph:
        """Read what ``to_json`` wrote."""
        steps = (
            Step(
                name=step["name"],
                component=step["component"],
                inputs={port: _flow(item) for port, item in step["inputs"].items()},
                parameters=step["parameters"],
                memory_gb=step["limits"][0],
                time_limit_s=step["limits"][1],
                occupies=step.get("occupies"),
                gpu=step.get("gpu", 0),
            )
            for step in value["steps"]
        )
        sources = {
            name: tuple(cast("list[str]", place)) if isinstance(place, list) else place
            for name, place in value["sources"].items()
        }
        return cls(value["name"], tuple(steps), sources)

    def edges(self) -> Iterator[tuple[str, str]]:
        """Yield every pair of steps between which something flows, once."""
        for step in self.steps:
            for producer in dict.fromkeys(ref.step for ref in step.refs):
                yield producer, step.name


def _plain(step: Step) -> dict[str, object]:
    def flow(value: Flow) -> object:
        if isinstance(value, tuple):
            return [[ref.step, ref.output] for ref in value]
        if isinstance(value, Ref):
            return [value.step, value.output]
        if isinstance(value, Kept):
            return {"kept": value.tree}
        return {"source": value.name} if value else None

    return {
        "name": step.name,
        "component": step.component,
        "inputs": {port: flow(value) for port, value in step.inputs.items()},
        "parameters": dict(step.parameters),
        "limits": [step.memory_gb, step.time_limit_s],
        "occupies": step.occupies,
        # Left away where there is none, so that graphs keep the digests that they had before.
        **({"gpu": step.gpu} if step.gpu else {}),
    }


def _flow(value: object) -> Flow:
    if isinstance(value, dict):
        named = cast("dict[str, str]", value)
        return Kept(named["kept"]) if "kept" in named else SourceRef(named["source"])
    if not isinstance(value, list):
        return None
    items = cast("list[Any]", value)
    if items and isinstance(items[0], str):
        return Ref(*items)
    return tuple(Ref(*item) for item in items)
