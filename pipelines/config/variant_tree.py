"""The paths of all variants as one tree: paths that begin alike share their steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from pipelines.config.configuration import Config


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
        leaves: Variant to the index of the node where its path ends.
    """

    nodes: tuple[StepNode, ...]
    leaves: Mapping[str, int]


def merged(config: Config) -> VariantTree:
    """Merge the variants' paths.

    Raises:
        UserError: Two variants are the same path.
    """
    nodes: list[StepNode] = []
    index_of: dict[bytes, int] = {}
    leaves: dict[str, int] = {}
    variant_at: dict[int, str] = {}
    for variant, path in config.variants.items():
        parent: int | None = None
        for step in path:
            parameters = config.step_parameters(step.component, step.parameters)
            identity = canonical_json([parent, step.component, parameters])
            if identity not in index_of:
                index_of[identity] = len(nodes)
                nodes.append(StepNode(step.component, parameters, parent))
            parent = index_of[identity]
        assert parent is not None, "a path is never empty"
        if parent in variant_at:
            raise UserError(
                f"variants.{variant}: the same path as variants.{variant_at[parent]}",
                "remove one of the two, or change a parameter",
            )
        leaves[variant] = parent
        variant_at[parent] = variant
    return VariantTree(tuple(nodes), leaves)
