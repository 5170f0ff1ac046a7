"""Exclusions: images and people that a store was told to forget, left out whatever else holds."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from components.artifacts.manifest import EXCLUDED
from components.contract.source import Source
from components.data.images_found import SourceImage
from components.data.spelling import key_of


def identity_digest(label: str) -> str:
    """Return the digest by which an identity is excluded: its name is kept nowhere.

    Spellings that are one name to a person have one digest.
    """
    return hashlib.sha256(f"identity:{key_of(label)}".encode()).hexdigest()


def excluded_places(source: Source, images: Sequence[SourceImage]) -> frozenset[int]:
    """Return the places of images that must not be used.

    Args:
        source: Where they were found, and what is excluded. The sha256 of a file of records
            excludes none of them: each has pixels and a label of its own.
        images: All that were found.
    """
    if not source.excluded:
        return frozenset()
    gone = frozenset(source.excluded)
    names = {image.label for image in images}
    labels = {label for label in names if identity_digest(label) in gone}
    single = source.format in ("folder", "list")
    files = {file.name for file in source.files if single and file.sha256 in gone}
    return frozenset(
        place
        for place, image in enumerate(images)
        if image.label in labels or image.digest in gone or image.name in files
    )


def marked(image: SourceImage) -> SourceImage:
    """Return an image with the fault that keeps it from being used.

    Whom it shows is forgotten here, so that no manifest and no report says it again.
    """
    return replace(image, fault=EXCLUDED, label="", digest="", group=None)
