"""Gathering: results that lie apart are brought together in one folder, by the bucket itself.

No byte of them passes this machine. The folder is named by what is in it, so it is made once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from components.contract.digests import canonical_json, digest
from components.contract.results import STATEMENT_FILE
from components.contract.tree import SINGLE
from pipelines.engines.kubeflow.ir.result_layout import layout_of_step
from pipelines.engines.kubeflow.results.known_results import KnownResult
from pipelines.runs.cache import Cache
from pipelines.runs.graph import Graph, Ref
from pipelines.stores.bucket import BucketStore

_FOLDER = "gathered"
_CONTENT = "gathered.json"
_CHARACTERS = 32


def gathered_key(refs: Sequence[Ref], known: Mapping[str, KnownResult]) -> str:
    """Return the folder below the pipeline root that these results are gathered in.

    Args:
        refs: Which outputs of which steps.
        known: By step the result that counts; of what is not there yet, nothing.
    """
    content = [[ref.step, ref.output, known[ref.step].key_of(ref.output)]
               for ref in refs if ref.step in known and known[ref.step].folder]  # fmt: skip
    return f"{_FOLDER}/{digest('gathered', content)[:_CHARACTERS]}"


def gather(
    root: BucketStore,
    cache: Cache,
    graph: Graph,
    refs: Sequence[Ref],
    known: Mapping[str, KnownResult],
) -> str:
    """Bring results together, and return the folder below the root.

    Args:
        root: The pipeline root.
        cache: Has the list of files of every output.
        graph: What the steps are of.
        refs: Which outputs of which steps; all lie in the root.
        known: By step the result that counts.

    Raises:
        UserError: The bucket cannot be written, or something in it is gone.
    """
    folder = gathered_key(refs, known)
    content = f"{folder}/{_CONTENT}"  # written last: all of it is there
    if root.stat(content) is not None:
        return folder
    copies: dict[str, str] = {}
    for ref in refs:
        one, step = known[ref.step], graph.by_name[ref.step]
        result = layout_of_step(step).name
        copies[f"{folder}/{step.name}/{STATEMENT_FILE}"] = f"{one.folder}/{result}/{STATEMENT_FILE}"
        place = one.key_of(ref.output)
        for entry in cache.tree(one.outputs[ref.output]).entries:
            path = "" if entry.path == SINGLE else f"/{entry.path}"
            copies[f"{folder}/{step.name}/{ref.output}{path}"] = f"{place}{path}"
    root.copy_many((source, target) for target, source in copies.items())
    places = {f"{ref.step}/{ref.output}": known[ref.step].key_of(ref.output) for ref in refs}
    root.put_if_absent(content, canonical_json(places))
    return folder
