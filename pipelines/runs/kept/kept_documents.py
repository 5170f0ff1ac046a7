"""Documents that a store keeps under their digests: configurations, code, environments.

A record names them by digest alone. Kept beside it, they say what a digest was of, and prove it:
the same content always has the same digest.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal, cast

from components.contract.closure import code_files
from components.contract.digests import canonical_json, digest
from components.contract.images import environment_content, extras, extras_content
from components.contract.types import ImageName
from pipelines.config.configuration import Config
from pipelines.images.building import image_environment_content, pinned_extras
from pipelines.runs.graph import Graph
from pipelines.runs.quarantine import put_certain
from pipelines.runs.records import damaged_record, read_value
from pipelines.stores.call_each import call_each
from pipelines.stores.layout import code_key, config_key, environment_key
from pipelines.stores.store import KeyMissing, Store

_THREADS = 8

DocumentKind = Literal["config", "code", "environment"]

_KEYS = {"config": config_key, "code": code_key, "environment": environment_key}

Document = tuple[DocumentKind, Mapping[str, Any]]


def documents_of(config: Config, graph: Graph, *, installed: bool) -> list[Document]:
    """Return what the digests in the records of a run are of, but for its sources and its graph.

    Args:
        config: What is run.
        graph: Its steps.
        installed: Whether its steps run on what is installed here, and not in images.

    Raises:
        UserError: A package that they need is not installed, or has no pin.
    """
    components = sorted({step.component for step in graph.steps})
    images: set[tuple[str, ImageName]] = {(step.component, step.image) for step in graph.steps}
    return [
        ("config", config.content),
        *(("code", dict(code_files(component))) for component in components),
        *(
            ("environment", content)
            for component, image in sorted(images)
            for content in _environments(component, image, installed=installed)
        ),
    ]


def _environments(component: str, image: ImageName, *, installed: bool) -> list[dict[str, object]]:
    """Return the environment of an image, and of a component that needs more than that."""
    content = environment_content(image) if installed else image_environment_content(image)
    more = dict(extras(component)) if installed else pinned_extras(component)
    return [content, extras_content(digest("environment", content), more)] if more else [content]


def put_documents(store: Store, documents: Iterable[Document]) -> None:
    """Keep documents; what lies there and differs goes to quarantine."""
    values = {_KEYS[kind](digest(kind, content)): content for kind, content in documents}
    items = ((store, key, canonical_json(content)) for key, content in values.items())
    call_each(put_certain, items, _THREADS)


def read_document(store: Store, kind: DocumentKind, wanted: str) -> dict[str, Any] | None:
    """Return the content that a digest is of; runs of earlier versions have kept none.

    Args:
        store: Where.
        kind: What it is the digest of.
        wanted: The digest.

    Raises:
        UserError: What lies there has another digest.
    """
    key = _KEYS[kind](wanted)
    try:
        content: Any = json.loads(read_value(store, key))
        whole = isinstance(content, dict) and digest(kind, cast("Any", content)) == wanted
    except KeyMissing:
        return None
    except (ValueError, TypeError, RecursionError):
        whole, content = False, None
    if not whole:
        raise damaged_record(store, key)
    return cast("dict[str, Any]", content)


def read_config(store: Store, wanted: str) -> dict[str, Any] | None:
    """Return the configuration with this digest, without places; see ``read_document``."""
    return read_document(store, "config", wanted)


def read_code(store: Store, wanted: str) -> dict[str, str] | None:
    """Return the sha256 of each file of the code with this digest; see ``read_document``."""
    return read_document(store, "code", wanted)


def read_environment(store: Store, wanted: str) -> dict[str, Any] | None:
    """Return packages, Python and architecture of an environment; see ``read_document``.

    Of a component that needs more than its image has, the image's content with its ``extras``.
    """
    found = read_document(store, "environment", wanted)
    if found is None or "extras" not in found:
        return found
    image = read_document(store, "environment", str(found["image"]))
    return {**(image or {}), "extras": found["extras"]}
