"""What each image is made of: its packages, what is imported there, and its environment digest."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib import metadata

from components.contract.digests import digest
from components.contract.errors import UserError
from components.contract.extras import not_installed
from components.contract.types import ImageName

_LIGHT = ("jinja2", "numpy", "pydantic", "pyyaml")
_DEVICE = (*_LIGHT, "ai-edge-litert")
PACKAGES: Mapping[ImageName, tuple[str, ...]] = {
    "light": _LIGHT,
    "device": _DEVICE,
    "train": (
        *_DEVICE,
        "brotli",
        "litert-quantizer",
        "pillow",
        "safetensors",
        "tensorflow",
        "tensorflow-model-optimization",
        "tf-keras",
    ),
}
"""What each image installs, at the versions of ``constraints.txt``."""

OPTIONAL: Mapping[ImageName, tuple[str, ...]] = {"train": ("pillow-heif",)}
"""What steps use where it is installed: results hang on whether it is. Containers are without."""

EXTRAS: Mapping[str, tuple[str, ...]] = {"search": ("optuna",)}
"""By component what it needs and no other does: an extra of its name on this machine
(``pip install slimline[search]``), while the image of the component always has it."""

FRAMEWORKS: Mapping[ImageName, tuple[str, ...]] = {
    "light": ("numpy", "jinja2"),
    "device": ("numpy", "ai_edge_litert.interpreter"),
    "train": (
        "numpy",
        "tensorflow",
        "tf_keras",
        "tensorflow_model_optimization",
        "litert_quantizer.quantizer",
        "safetensors.numpy",
        "PIL.Image",
    ),
}
"""The modules that an image is there for; importing them proves that it holds together."""

# What every step imports before its function; a bare ``pydantic`` loads these only when asked.
_ENTRY = (
    "argparse",
    "hashlib",
    "importlib.metadata",
    "logging",
    "pydantic.fields",
    "pydantic.type_adapter",
    "yaml",
)
PRELOADED: Mapping[ImageName, tuple[str, ...]] = {
    "light": _ENTRY,
    "device": _ENTRY,
    "train": (*_ENTRY, *FRAMEWORKS["train"]),
}
"""What a server imports once before it forks steps: the frameworks only where they take seconds,
and never for what is measured, which begins as a fresh process would."""


@cache
def versions(image: ImageName) -> Mapping[str, str]:
    """Return the installed version of every package that ``image`` is made of, or may use.

    Raises:
        UserError: One of them is not installed.
    """
    found: dict[str, str] = {}
    for name in PACKAGES[image]:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            raise UserError(
                f"the package {name}, which {image} steps need, is not installed in {sys.prefix}",
                "make install",
            ) from None
    for name in OPTIONAL.get(image, ()):
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


@cache
def extras(component: str) -> Mapping[str, str]:
    """Return the installed version of what a component needs beside the packages of its image.

    Raises:
        UserError: It is not installed.
    """
    found: dict[str, str] = {}
    for name in EXTRAS.get(component, ()):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            raise not_installed(component, name, component) from None
    return found


def with_extras(environment: str, versions: Mapping[str, str]) -> str:
    """Return the environment digest of a component's steps, of its image's and its extras.

    Args:
        environment: Of its image.
        versions: Of its extras; none leave the digest as it is.
    """
    if not versions:
        return environment
    return digest("environment", extras_content(environment, versions))


def extras_content(environment: str, versions: Mapping[str, str]) -> dict[str, object]:
    """Return what the digest of an environment with extras is of."""
    return {"image": environment, "extras": dict(versions)}


@cache
def component_environment(component: str) -> str:
    """Return the digest of what results of a component hang on, on this machine.

    Raises:
        UserError: A package of its image, or its extra, is not installed.
    """
    from components.contract.interface import interface_of  # takes a second of a command's help

    return with_extras(environment_digest(interface_of(component).image), extras(component))


@cache
def environment_digest(image: ImageName) -> str:
    """Return the digest of packages, Python and architecture that results of ``image`` hang on."""
    return digest("environment", environment_content(image))


def environment_content(image: ImageName) -> dict[str, object]:
    """Return what ``environment_digest`` is of."""
    return {
        "packages": dict(versions(image)),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "architecture": platform.machine(),
    }
