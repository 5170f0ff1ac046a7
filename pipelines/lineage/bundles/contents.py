"""What a bundle holds: the release, the values that prove its lineage, and a list of both."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from components.contract.digests import canonical_json
from pipelines.lineage.proof.links import Link

LIST = "bundle.json"
"""The list of a bundle: what it is about, every other file, and the proof."""

SCHEMA = 1


def list_of(
    files: Mapping[str, bytes], *, name: str, run: str, release: str, links: Sequence[Link]
) -> bytes:
    """Return the bytes of ``bundle.json``.

    It follows from the other files, so that a bundle in which anything was changed, this list
    included, contradicts itself.

    Args:
        files: Every other file of the bundle by name.
        name: Of the release.
        run: Identifier of the run that published it.
        release: Tree digest of the release.
        links: The chain from the release up to the sources.
    """
    listed = {
        path: {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
        for path, data in files.items()
        if path != LIST
    }
    proof = [{"link": link.name, "digest": link.subject} for link in links]
    return canonical_json(
        {
            "schema": SCHEMA,
            "name": name,
            "run": run,
            "release": release,
            "files": listed,
            "proof": proof,
        }
    )
