"""The container images: built, named by what is in them, and checked before use.

An image's tag is its source digest, and its labels say which sources and which environment it
holds. A step never runs in an image of other sources than the code at hand.
"""

from __future__ import annotations

import io
import platform
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

import components
from components.contract.digests import digest, file_sha256
from components.contract.errors import UserError
from components.contract.images import (
    CUDA,
    EXTRAS,
    GPU_IMAGE,
    PACKAGES,
    TRAINING,
    X86_64_ALONE,
    with_extras,
)
from components.contract.interface import interface_of
from components.contract.types import ImageName
from pipelines import __version__
from pipelines.images import service

AnyImage = ImageName | Literal["service"]
"""An image that steps run in, or the one that serves pages."""

IMAGES: tuple[ImageName, ...] = ("train", "device", "light")
"""What every run needs."""
ALL_IMAGES: tuple[ImageName, ...] = (*IMAGES, GPU_IMAGE)
BUILT: tuple[AnyImage, ...] = (*ALL_IMAGES, service.SERVICE)
"""All that are built here: those of steps, and the one that serves pages."""
BASE_IMAGE = "python:3.11-slim-bookworm"
PYTHON = "3.11"
SOURCE_LABEL = "slimline.source"
ENVIRONMENT_LABEL = "slimline.environment"
REGISTRY = re.compile(
    r"(\[[0-9a-f:]+\]|[a-z0-9][a-z0-9._-]*)(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*/?"
)
"""Where images can be pushed to; Docker takes no capitals in the name of an image."""

_COMPONENTS = Path(components.__path__[0])
_ROOT = _COMPONENTS.parent
_DOCKERFILE = "Dockerfiles/Dockerfile"
_BUILD = "slimline images build"
_NOT_COPIED = (".pyc", ".md")  # what no step reads: an edit of it leaves the images as they are


@dataclass(frozen=True)
class BuiltImage:
    """An image that is on this machine and holds the code at hand.

    Attributes:
        image: Which dependency set.
        name: Repository and tag.
        digest: Docker's own identifier of the content, ``sha256:...``.
        environment: Environment digest, part of the key of every step that runs in it.
        size_bytes: All layers, the base included.
    """

    image: AnyImage
    name: str
    digest: str
    environment: str
    size_bytes: int


@cache
def source_digest(image: AnyImage) -> str:
    """Return the digest of name, Dockerfile, pins and all code that is in it."""
    files = {name: file_sha256(path) for name, path in _sources(image).items()}
    return digest("sources", {"image": image, "files": files})


def image_name(image: AnyImage, repository: str = "slimline") -> str:
    """Return repository and tag of the image that holds the code at hand."""
    return f"{repository}/{image}:{__version__}-{source_digest(image)[:12]}"


@cache
def image_environment(image: AnyImage) -> str:
    """Return the environment digest that ``image`` has when built from the constraints at hand.

    Raises:
        UserError: A package of it has no pin.
    """
    return digest("environment", image_environment_content(image))


def image_environment_content(image: AnyImage) -> dict[str, object]:
    """Return what ``image_environment`` is the digest of.

    Raises:
        UserError: A package of the image has no pin.
    """
    pins = _pins()
    packages = _packages(image)
    for name in packages:
        if name not in pins:
            raise UserError(f"constraints.txt pins no {name}", "restore constraints.txt")
    return {
        "packages": {name: pins[name] for name in packages},
        "python": PYTHON,
        "architecture": platform.machine(),
    }


def _packages(image: AnyImage) -> tuple[str, ...]:
    return service.SERVICE_PACKAGES if image == service.SERVICE else PACKAGES[image]


def requirements(image: AnyImage) -> list[str]:
    """Return what pip is asked to install into an image, at the pinned versions.

    The CUDA libraries are TensorFlow's own extra, so that pip says where they do not fit it.
    """
    names = (*_packages(image), *_extras(image))
    if image != GPU_IMAGE:
        return list(names)
    return [
        "tensorflow[and-cuda]" if name == "tensorflow" else name
        for name in names
        if name not in CUDA
    ]


def _extras(image: AnyImage) -> Iterator[str]:
    """Yield what some components of an image need beside its packages."""
    for component, names in EXTRAS.items():
        own = interface_of(component).image
        if image in (own, GPU_IMAGE if component in TRAINING else own):
            here = platform.machine() == "x86_64"
            yield from (name for name in names if here or name not in X86_64_ALONE)


def step_environment(component: str, environment: str) -> str:
    """Return the environment digest of a component's steps in its image.

    Args:
        component: Which one.
        environment: Of the image.
    """
    return with_extras(environment, pinned_extras(component))


def pinned_extras(component: str) -> dict[str, str]:
    """Return the pinned version of what a component needs beside the packages of its image."""
    pins = _pins()
    return {name: pins[name] for name in EXTRAS.get(component, ())}


def _pins() -> Mapping[str, str]:
    lines = _file("constraints.txt").read_text().splitlines()
    pairs = (line.partition("==") for line in lines if "==" in line)
    return {name.strip().lower().replace("_", "-"): version.strip() for name, _, version in pairs}


def _dockerfile(image: AnyImage) -> str:
    return service.DOCKERFILE if image == service.SERVICE else _DOCKERFILE


def _sources(image: AnyImage) -> dict[str, Path]:
    """Return what an image is built from, by its path in the build context."""
    found = {name: _file(name) for name in (_dockerfile(image), "constraints.txt")}
    for tree in service.COPIED if image == service.SERVICE else (_COMPONENTS.name,):
        for path in sorted((_ROOT / tree).rglob("*")):
            cached = "__pycache__" in path.parts or path.suffix in _NOT_COPIED
            if path.is_file() and not cached:
                found[path.relative_to(_ROOT).as_posix()] = path
    return found


def _file(name: str) -> Path:
    path = _ROOT / name
    if not path.exists():
        raise UserError(
            f"{path} is missing: images are built from a checkout of the repository",
            "clone slimline and install it from there: pip install -e .",
        )
    return path


def build(
    client: Any, image: AnyImage, *, base: str, network: str | None, ca_bundle: Path | None
) -> Iterator[str]:
    """Build one image, yielding what Docker says on the way.

    Args:
        client: See ``connect``.
        image: Which dependency set.
        base: Base image with Python 3.11 and pip.
        network: Docker network of the build, such as ``host`` on a closed network.
        ca_bundle: Certificates of a package index that has its own.

    Raises:
        UserError: The base is missing, or a command of the Dockerfile failed.
    """
    from docker.errors import APIError

    try:
        for part in client.api.build(
            fileobj=io.BytesIO(_context(image, ca_bundle)),
            custom_context=True,
            dockerfile=_dockerfile(image),
            tag=image_name(image),
            buildargs={
                "BASE_IMAGE": base,
                "IMAGE": image,
                "PACKAGES": " ".join(requirements(image)),
                "VERSION": __version__,
                "SOURCE_DIGEST": source_digest(image),
                "ENVIRONMENT_DIGEST": image_environment(image),
            },
            network_mode=network,
            rm=True,
            forcerm=True,
            decode=True,
        ):
            if "error" in part:
                raise UserError(
                    f"{_dockerfile(image)} ({image}): {part['error'].strip()}",
                    "on a closed network: --base NAME --network host --ca-bundle FILE",
                )
            if text := part.get("stream", "").strip():
                yield text
    except APIError as error:
        raise UserError(
            f"{image_name(image)} cannot be built: {error.explanation or error}",
            "check --base and --network",
        ) from None


def _context(image: AnyImage, ca_bundle: Path | None) -> bytes:
    """Return the build context: what the Dockerfile copies, with neither dates nor owners."""
    members = {
        "ca-bundle.pem": _certificates(ca_bundle) if ca_bundle else b"",
        **{name: path.read_bytes() for name, path in _sources(image).items()},
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def _certificates(bundle: Path) -> bytes:
    try:
        if not bundle.is_file():  # a pipe would be empty for the second image
            raise UserError(f"--ca-bundle {bundle} is no file", "give the path of a PEM file")
        return bundle.read_bytes()
    except OSError as error:
        raise UserError(
            f"--ca-bundle {bundle} cannot be read: {error.strerror}",
            "give the path of a PEM file that this user may read (chmod, chown)",
        ) from None


def find(client: Any, image: AnyImage) -> BuiltImage:
    """Return the image that holds the code at hand.

    Raises:
        UserError: It is not on this machine, or its labels say that it holds something else.
    """
    from docker.errors import ImageNotFound

    name = image_name(image)
    try:
        found = client.images.get(name)
    except ImageNotFound:
        older = sorted(
            tag for item in client.images.list(name=f"slimline/{image}") for tag in item.tags
        )
        built = f"; there is {', '.join(older)}, built from other sources" if older else ""
        raise UserError(f"the image {name} is not on this machine{built}", _fix(image)) from None
    labels = cast("Mapping[str, str]", found.labels)
    expected = {SOURCE_LABEL: source_digest(image), ENVIRONMENT_LABEL: image_environment(image)}
    for label, value in expected.items():
        if labels.get(label) != value:
            raise UserError(
                f"the image {name} was built from other sources than the code at hand: its label "
                f"{label} is {labels.get(label, 'missing')}, expected {value}",
                _fix(image),
            )
    return BuiltImage(
        image, name, cast("str", found.id), labels[ENVIRONMENT_LABEL], found.attrs["Size"]
    )


def _fix(image: AnyImage) -> str:
    if image == service.SERVICE:
        return f"{_BUILD} {image}"
    return f"{_BUILD} --gpu" if image == GPU_IMAGE else _BUILD


def check_registry(registry: str) -> str:
    """Return ``registry`` without a slash at its end.

    Raises:
        UserError: It cannot be the beginning of an image's name.
    """
    if REGISTRY.fullmatch(registry):
        return registry.rstrip("/")
    near = registry.rpartition("://")[2].strip().lower()
    example = near if REGISTRY.fullmatch(near) else "europe-docker.pkg.dev/me/mine"
    raise UserError(
        f"{registry!r} is no registry: expected HOST[:PORT][/PATH] in small letters, with neither "
        "a scheme nor spaces",
        f"slimline images push {example}",
    )


def push(client: Any, image: AnyImage, registry: str) -> str:
    """Push an image to a registry.

    Args:
        client: See ``connect``.
        image: Which dependency set.
        registry: See ``check_registry``.

    Returns:
        Its name there with the digest that pods pull it by.

    Raises:
        UserError: It is not built, or the registry refuses it.
    """
    built = find(client, image)
    repository = f"{registry}/{image}"
    tag = built.name.rpartition(":")[2]
    client.images.get(built.name).tag(repository, tag)
    pushed = ""
    for part in client.images.push(repository, tag, stream=True, decode=True):
        if "error" in part:
            raise UserError(
                f"{repository}:{tag} was refused: {part['error']}",
                f"docker login {registry.partition('/')[0]}, then push again",
            )
        pushed = part.get("aux", {}).get("Digest", pushed)
    return f"{repository}@{pushed}"
