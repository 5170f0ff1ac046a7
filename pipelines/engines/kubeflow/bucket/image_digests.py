"""The images by the names that pods pull them under: with digests that a registry has given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from components.contract.errors import UserError
from components.contract.images import GPU_IMAGE
from components.contract.types import ImageName
from pipelines.config.kubeflow import Kubeflow
from pipelines.images.building import ALL_IMAGES, IMAGES, find, image_name
from pipelines.images.daemon import connect, daemon_faults
from pipelines.runs.graph import Graph


def images_of(graph: Graph) -> tuple[ImageName, ...]:
    """Return the images that the steps of a graph run in; those that every graph needs first."""
    used = {step.image for step in graph.steps}
    return tuple(image for image in ALL_IMAGES if image in IMAGES or image in used)


def references(settings: Kubeflow, images: Iterable[ImageName] = IMAGES) -> Mapping[ImageName, str]:
    """Return `repository@sha256:...` of every image.

    Images that were pushed from this machine are named by the registry alone: the Docker Engine
    remembers the digest under which it accepted them, and that they hold the code at hand.

    Args:
        settings: The section `kubeflow` of a configuration.
        images: Which are looked up where only the registry is given.

    Raises:
        UserError: An image was never pushed to that registry from here, or the digest given is
            one that only the local Docker Engine knows.
    """
    if isinstance(settings.images, str):
        client = connect()
        with daemon_faults("the images that were pushed cannot be looked up"):
            return {image: _pushed(client, image, settings.images) for image in images}
    try:
        client = connect()
    except UserError:  # without a Docker Engine there is no digest that it alone could know
        return settings.images
    with daemon_faults("the images of this machine cannot be looked up"):
        for image, reference in settings.images.items():
            _check_known_elsewhere(client, image, reference)
    return settings.images


def pushed(image: ImageName, registry: str | None) -> str:
    """Return the name with digest under which an image of the code at hand was pushed from here.

    Args:
        image: Which one.
        registry: Where to; None: to the only one that it was pushed to.

    Raises:
        UserError: It was not, or to several registries and none is named.
    """
    client = connect()
    with daemon_faults(f"{image_name(image)} cannot be looked up"):
        if registry is not None:
            return _pushed(client, image, registry)
        find(client, image)
        names = sorted(_names(client, image_name(image)))
    if len(names) == 1:
        return names[0]
    if not names:
        raise UserError(
            f"the image {image_name(image)} was pushed nowhere from here: pods cannot pull it",
            f"slimline images push REGISTRY {image}, or give a CONFIG that names the images",
        )
    registries = [name.partition("@")[0].rpartition("/")[0] for name in names]
    raise UserError(
        f"the image {image_name(image)} was pushed from here to {' and '.join(registries)}",
        f"name one of them: --registry {registries[0]}",
    )


def _pushed(client: Any, image: ImageName, registry: str) -> str:
    """Return the name under which a registry holds the image of the code at hand."""
    find(client, image)
    for listed in _names(client, image_name(image)):
        if listed.startswith(f"{registry}/{image}@"):
            return listed
    raise UserError(
        f"the image {image_name(image)} was not pushed to {registry}: pods cannot pull it",
        f"slimline images push {registry}{f' {image}' if image == GPU_IMAGE else ''}",
    )


def _check_known_elsewhere(client: Any, image: ImageName, reference: str) -> None:
    """Refuse the identifier of a local image in the place of a registry's digest."""
    digest = reference.rpartition("@")[2]
    known = client.images.list(filters={"label": "slimline.source"})
    local = next((item for item in known if item.id == digest), None)
    if local is not None and not local.attrs["RepoDigests"]:
        raise UserError(
            f"kubeflow.images.{image}: {digest} is what the Docker Engine of this machine calls "
            "the image; no registry has it under that digest",
            f"slimline images push {reference.partition('@')[0].rpartition('/')[0] or 'REGISTRY'}, "
            "and give the name that it prints",
        )


def _names(client: Any, name: str) -> list[str]:
    return cast("list[str]", client.images.get(name).attrs["RepoDigests"])
