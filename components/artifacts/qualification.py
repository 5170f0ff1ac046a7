"""Qualification: what the manifest of a release says of its worth, in the words of any version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MANIFEST = "manifest.json"


def qualification_in(manifest: Mapping[str, Any]) -> tuple[bool, tuple[str, ...]]:
    """Return what a manifest says of the release: whether it qualifies, and why.

    Manifests of schema 1 have one ``reason``, and ``promoted`` for ``qualified``.

    Raises:
        KeyError: It says neither.
    """
    if "qualified" in manifest:
        return manifest["qualified"] is True, tuple(manifest["reasons"])
    return manifest.get("promoted") is True, (manifest["reason"],)
