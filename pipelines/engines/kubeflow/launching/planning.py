"""Planning: which steps have a result already, and which have to run.

A result whose bytes were deleted from the bucket is made again. What was made of it before stays
valid as long as the same bytes come out, so only that one step runs; where others come out, as from
a training that is not reproducible, all that follows runs afterwards.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from components.contract.tree import SINGLE
from pipelines.engines.kubeflow.results.earlier import EarlierResults
from pipelines.engines.kubeflow.results.known_results import KnownResult
from pipelines.runs.cache import Cache
from pipelines.runs.graph import Graph, Step
from pipelines.runs.inputs import digests_of
from pipelines.runs.kept.cluster_results import DATASET_FILES, WHOLE
from pipelines.stores.layout import blob_key, tree_key
from pipelines.stores.store import Store


@dataclass(frozen=True)
class ReusePlan:
    """What is known of the steps of a graph.

    Attributes:
        known: By step the result that counts, be it of an earlier run or of this one.
        lost: By step the result whose bytes are gone: the step runs again, and until it has, what
            was made of the earlier result counts.
    """

    known: Mapping[str, KnownResult] = field(default_factory=dict[str, KnownResult])
    lost: Mapping[str, KnownResult] = field(default_factory=dict[str, KnownResult])

    def missing(self, graph: Graph, sources: Mapping[str, str]) -> tuple[str, ...]:
        """Return the steps that have to run, each after all that it needs.

        Args:
            graph: All steps.
            sources: Digest of every source.
        """
        outputs: dict[str, Mapping[str, str]] = {}
        missing: list[str] = []
        for step in graph.ordered:
            if any(ref.step not in outputs for ref in step.refs):
                missing.append(step.name)
                continue
            inputs = digests_of(step, outputs, sources)
            have = self.known.get(step.name)
            if have and have.inputs == inputs:
                outputs[step.name] = have.outputs
                continue
            missing.append(step.name)
            before = self.lost.get(step.name)
            if have is None and before and before.inputs == inputs:
                outputs[step.name] = before.outputs
        return tuple(missing)

    def settled(self, graph: Graph, sources: Mapping[str, str]) -> tuple[str, ...]:
        """Return the steps that have a result which nothing that runs can change.

        Args:
            graph: All steps.
            sources: Digest of every source.
        """
        open_steps = set(self.missing(graph, sources))
        for step in graph.ordered:
            if any(ref.step in open_steps for ref in step.refs):
                open_steps.add(step.name)
        return tuple(step.name for step in graph.ordered if step.name not in open_steps)

    def with_results(self, made: Mapping[str, KnownResult]) -> ReusePlan:
        """Return the plan after some steps have run."""
        return ReusePlan({**self.known, **made}, self.lost)


def plan(
    graph: Graph,
    sources: Mapping[str, str],
    earlier: EarlierResults,
    cache: Cache,
    root: Store,
    *,
    renew: bool = True,
) -> ReusePlan:
    """Find out which results of earlier runs count.

    Args:
        graph: What is to run.
        sources: Digest of every source.
        earlier: Where results are looked for.
        cache: What must hold all of them that is kept in the store.
        root: The pipeline root, which must hold all the rest.
        renew: Keep what counts from being collected, as the caller relies on it.
    """
    lost: dict[str, KnownResult] = {}
    passed: set[str] = set()
    while True:
        known = _found(graph, sources, earlier, passed)
        fresh = {name: found for name, found in known.items() if name not in lost}
        needed = _kept_here(cache, graph, fresh)
        away = _missing(cache.store, needed)
        gone = _gone(cache, root, graph, fresh, away)
        if not away and not gone and renew:
            away = {name for name, keys in needed.items() if not cache.keep(keys)}
        if not away and not gone:
            return ReusePlan(fresh, {name: found for name, found in known.items() if name in lost})
        passed |= away
        lost |= {name: fresh[name] for name in gone}


def _found(
    graph: Graph, sources: Mapping[str, str], earlier: EarlierResults, passed: Collection[str]
) -> dict[str, KnownResult]:
    """Look up every step whose inputs are known, producers first."""
    found: dict[str, KnownResult] = {}
    for step in graph.ordered:
        if step.name in passed or any(ref.step not in found for ref in step.refs):
            continue
        outputs = {ref.step: found[ref.step].outputs for ref in step.refs}
        if one := earlier.find(step, digests_of(step, outputs, sources)):
            found[step.name] = one
    return found


def _kept_here(
    cache: Cache, graph: Graph, found: Mapping[str, KnownResult]
) -> dict[str, dict[str, int | None]]:
    """Return by step the values that the store keeps of its result, with their bytes if known."""
    needed: dict[str, dict[str, int | None]] = {}
    for name, one in found.items():
        keys = needed[name] = {}
        for port in graph.by_name[name].interface.outputs:
            digest = one.outputs[port.name]
            keys[tree_key(digest)] = None
            tree = cache.listing(digest)
            for entry in tree.entries if tree else ():
                whole = port.kind in WHOLE or one.folder is None
                if whole or (port.kind == "Dataset" and entry.path in DATASET_FILES):
                    keys[blob_key(entry.sha256)] = entry.size_bytes
    return needed


def _missing(store: Store, needed: Mapping[str, Mapping[str, int | None]]) -> set[str]:
    """Return the steps of whose results the store lacks something, or does not have it whole."""
    items = [(name, key, size) for name, keys in needed.items() for key, size in keys.items()]
    stats = store.stat_many([key for _, key, _ in items])
    return {
        name
        for (name, _, size), stat in zip(items, stats, strict=True)
        if stat is None or size not in (None, stat.size_bytes)
    }


def _gone(
    cache: Cache,
    root: Store,
    graph: Graph,
    found: Mapping[str, KnownResult],
    away: Collection[str],
) -> set[str]:
    """Return the steps of whose results an object is missing in the bucket."""
    there = {name: one for name, one in found.items() if one.folder and name not in away}
    listed = _names(root, (one.folder or "" for one in there.values()))
    return {
        name
        for name, one in there.items()
        if not objects_of(cache, graph.by_name[name], one).keys() <= listed
    }


def objects_of(cache: Cache, step: Step, found: KnownResult) -> dict[str, int]:
    """Return the objects that a result consists of in the pipeline root: key and bytes.

    Args:
        cache: Has the list of files of every output.
        step: Whose result.
        found: The result.
    """
    objects: dict[str, int] = {}
    for port in step.interface.outputs:
        place = found.key_of(port.name)
        for entry in cache.tree(found.outputs[port.name]).entries:
            key = place if entry.path == SINGLE else f"{place}/{entry.path}"
            objects[key] = entry.size_bytes
    return objects


def _names(root: Store, folders: Iterable[str]) -> set[str]:
    """Return the names of all objects of the runs that these folders belong to."""
    runs = {"/".join(folder.split("/")[:2]) for folder in folders}
    return {key for run in sorted(runs) for key in root.list(f"{run}/")}
