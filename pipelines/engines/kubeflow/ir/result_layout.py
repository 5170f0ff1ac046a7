"""Which artifacts a step has on a cluster: its result, and what is beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from components.contract.interface import Interface
from components.contract.results import ResultForm, display_name_of
from components.contract.types import Kind
from pipelines.runs.graph import Graph, Ref, Step

_NAMES: Mapping[Kind, str] = {
    "Metrics": "metrics",
    "Release": "release",
    "Dataset": "dataset",
    "Model": "model",
    "LiteModel": "lite_model",
    "CostSamples": "cost_samples",
    "Report": "report",
}
"""What a result is called after the first of these kinds that a component makes."""

_NOTHING_INSIDE = "statement"
"""What the result of a component is called whose outputs are all beside it."""


@dataclass(frozen=True)
class ResultLayout:
    """The artifacts of a step.

    Attributes:
        name: Name of its result.
        kind: What the user interface shows the result as; None: as a plain artifact.
        beside: Names of the outputs that are artifacts of their own.
    """

    name: str
    kind: Kind | None
    beside: tuple[str, ...]

    @property
    def form(self) -> ResultForm:
        """What the component is told of it."""
        return ResultForm(self.name, self.beside)

    def artifact_of(self, output: str) -> str:
        """Return the artifact that an output is, or lies in."""
        return output if output in self.beside else self.name


def layout_of(interface: Interface, *, shows_curve: bool = False) -> ResultLayout:
    """Return the artifacts of a component's steps.

    Pages are beside the result because the user interface shows them by themselves, a curve where
    that is wanted. So is every Dataset after the first: readers of a result get all of it, and the
    sealed images are for nobody but who measures the winner on them.

    Args:
        interface: The component.
        shows_curve: Whether the curve is beside the result.
    """
    kinds = {port.kind for port in interface.outputs}
    kind: Kind | None = next((kind for kind in _NAMES if kind in kinds), None)
    datasets = [port.name for port in interface.outputs if port.kind == "Dataset"]
    beside = tuple(
        port.name
        for port in interface.outputs
        if port.kind == "Page"
        or port.name in datasets[1:]
        or (port.kind == "Curve" and shows_curve)
    )
    return ResultLayout(_NAMES[kind] if kind else _NOTHING_INSIDE, kind, beside)


def layout_of_step(step: Step) -> ResultLayout:
    """Return the artifacts of a step.

    Of all evaluations that of the winner on sealed images has a curve of its own: one for each
    would be many nodes in the picture, and the pages of a run show all of them.
    """
    return layout_of(step.interface, shows_curve=step.opens_sealed and _measures_the_winner(step))


def _measures_the_winner(step: Step) -> bool:
    model = step.inputs.get("model")
    return isinstance(model, Ref) and model.output == "winner"


def ports_of(step: Step, graph: Graph) -> dict[str, str]:
    """Return by input the output that enters it, of what enters as part of a result."""
    found: dict[str, str] = {}
    for port, flow in step.inputs.items():
        refs = flow if isinstance(flow, tuple) else (flow,)
        outputs = {
            ref.output
            for ref in refs
            if isinstance(ref, Ref)
            and ref.output not in layout_of(graph.by_name[ref.step].interface).beside
        }
        assert len(outputs) <= 1, f"{step.name}.{port}: {outputs} are called differently"
        if outputs:
            found[port] = outputs.pop()
    return found


def display_names(graph: Graph) -> dict[str, str]:
    """Return what people call what a step makes where its name does not say it: its one variant.

    Args:
        graph: The whole graph of a run.
    """
    variants: dict[str, set[str]] = {step.name: set() for step in graph.steps}
    for step in reversed(graph.ordered):
        if step.component == "convert":
            variants[step.name].add(step.name.removeprefix("convert-"))
        for ref in _models_in(step):
            variants[ref.step] |= variants[step.name]
    alone = {name: next(iter(found)) for name, found in variants.items() if len(found) == 1}
    return {name: called for name, called in alone.items() if called != display_name_of(name)}


def _models_in(step: Step) -> list[Ref]:
    """Return the Models that a step makes another one of, or converts."""
    models = {port.name for port in step.interface.inputs if port.kind == "Model"}
    return [ref for name in models if isinstance(ref := step.inputs[name], Ref)]
