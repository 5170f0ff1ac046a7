"""Steps whose results are in the store, found without running or asking anything."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

from pipelines.runs.cache import Cache, CorruptionError
from pipelines.runs.graph import HOST, Graph, Step
from pipelines.runs.inputs import input_digests
from pipelines.runs.keys import Fingerprints, ingredients_of
from pipelines.sources.snapshot import Snapshot


def stored_steps(
    graph: Graph,
    sources: Mapping[str, Snapshot],
    cache: Cache,
    environment: Callable[[Step], str],
    devices: Fingerprints,
) -> frozenset[str]:
    """Return the names of the steps that an engine would take from the store.

    Args:
        graph: What is to run.
        sources: Snapshot of every source of it.
        cache: Where results are looked up; none is kept longer for that.
        environment: Returns the digest of the environment that a step runs in.
        devices: Fingerprints of the devices that are not this machine; steps on one that is
            missing here are not looked up.

    Raises:
        UserError: The store fails, or a step has no environment here.
    """
    outputs: dict[str, Mapping[str, str]] = {}
    for step in graph.ordered:
        known = all(ref.step in outputs for ref in step.refs)
        if not known or step.device not in (None, HOST, *devices):
            continue
        inputs = input_digests(step, outputs, sources)
        key = ingredients_of(step, inputs, environment(step), devices).key
        # What turns out to be damaged is in quarantine now: its step would run again.
        with contextlib.suppress(CorruptionError):
            if result := cache.lookup(key, renew=False):
                outputs[step.name] = result.outputs
    return frozenset(outputs)
