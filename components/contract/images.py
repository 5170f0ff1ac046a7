"""The environment of an image: what its packages pin, so that equal environments share results."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from functools import cache
from importlib import metadata

from components.contract.digests import digest
from components.contract.errors import UserError
from components.contract.interface import Image

_LIGHT = ("jinja2", "numpy", "pydantic", "pyyaml")
_DEVICE = (*_LIGHT, "ai-edge-litert")
PACKAGES: Mapping[Image, tuple[str, ...]] = {
    "light": _LIGHT,
    "device": _DEVICE,
    "train": (
        *_DEVICE,
        "pillow",
        "safetensors",
        "tensorflow",
        "tensorflow-model-optimization",
        "tf-keras",
    ),
}
"""What each of ``Dockerfiles/`` installs, at the versions of ``constraints.txt``."""


@cache
def versions(image: Image) -> Mapping[str, str]:
    """Return the installed version of every package that ``image`` is made of.

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
    return found


@cache
def environment_digest(image: Image) -> str:
    """Return the digest of packages, Python and architecture that results of ``image`` hang on."""
    return digest(
        "environment",
        {
            "packages": dict(versions(image)),
            "python": f"{sys.version_info.major}.{sys.version_info.minor}",
            "architecture": platform.machine(),
        },
    )
