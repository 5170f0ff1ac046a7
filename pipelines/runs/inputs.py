"""What enters a step, by digest, once everything before it is there."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.runs.graph import Flow, Kept, Ref, SourceRef, Step
from pipelines.runs.keys import InputDigest
from pipelines.sources.snapshot import Snapshot


def input_digests(
    step: Step, outputs: Mapping[str, Mapping[str, str]], sources: Mapping[str, Snapshot]
) -> dict[str, InputDigest]:
    """Return the digest of what enters every port of a step.

    Args:
        step: The step.
        outputs: By step the tree digest of every output; all that this step needs are there.
        sources: Snapshot of every source of the graph.
    """
    return digests_of(step, outputs, {name: source.digest for name, source in sources.items()})


def digests_of(
    step: Step, outputs: Mapping[str, Mapping[str, str]], sources: Mapping[str, str]
) -> dict[str, InputDigest]:
    """Do the same where of the sources the digests alone are known."""

    def of(flow: Flow) -> InputDigest:
        if isinstance(flow, tuple):
            return [outputs[ref.step][ref.output] for ref in flow]
        if isinstance(flow, SourceRef):
            return sources[flow.name]
        if isinstance(flow, Kept):
            return flow.tree
        return outputs[flow.step][flow.output] if isinstance(flow, Ref) else None

    return {port: of(flow) for port, flow in step.inputs.items()}
