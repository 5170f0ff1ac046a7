"""The paths of all variants as one tree: paths that begin alike share their steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from pipelines.config.configuration import Config
from pipelines.config.controls import control_name, control_of, has_control, without_control
from pipelines.config.sections import PathStep


@dataclass(frozen=True)
class StepNode:
    """One node of the tree: a step that some variants have in common.

    Attributes:
        component: Which one.
        parameters: Complete.
        parent: Index of the node before it, or None after the teacher.
    """

    component: str
    parameters: Mapping[str, object]
    parent: int | None


@dataclass(frozen=True)
class VariantTree:
    """All paths, merged where they begin alike.

    Attributes:
        nodes: Parents before children.
        leaves: Variant, or control, to the index of the node where its path ends.
        controls: Variant to the name of its control, where it has one.
    """

    nodes: tuple[StepNode, ...]
    leaves: Mapping[str, int]
    controls: Mapping[str, str]


def merged(config: Config) -> VariantTree:
    """Merge the variants' paths, and those of their controls, which come behind them.

    Raises:
        UserError: Two variants are the same path.
    """
    nodes: list[StepNode] = []
    index_of: dict[bytes, int] = {}

    def end_of(path: Sequence[PathStep]) -> int:
        parent: int | None = None
        for step in path:
            parameters = config.step_parameters(step.component, step.parameters)
            identity = canonical_json([parent, step.component, parameters])
            if identity not in index_of:
                index_of[identity] = len(nodes)
                nodes.append(StepNode(step.component, parameters, parent))
            parent = index_of[identity]
        assert parent is not None, "a path is never empty"
        return parent

    leaves: dict[str, int] = {}
    name_at: dict[int, str] = {}
    for variant, path in config.variants.items():
        end = end_of(without_control(path))
        if end in name_at:
            raise UserError(
                f"variants.{variant}: the same path as variants.{name_at[end]}",
                "remove one of the two, or change a parameter",
            )
        leaves[variant] = end
        name_at[end] = variant
    controls: dict[str, str] = {}
    for variant, path in config.variants.items():
        if has_control(path):
            end = end_of(control_of(path))
            # Students that differ in what they learn of their teacher have one control.
            controls[variant] = name_at.setdefault(end, control_name(variant))
            leaves[controls[variant]] = end
    return VariantTree(tuple(nodes), leaves, controls)
