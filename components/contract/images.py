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
_TRAIN = (
    *_DEVICE,
    "brotli",
    "litert-quantizer",
    "pillow",
    "safetensors",
    "tensorflow",
    "tensorflow-model-optimization",
    "tf-keras",
)
CUDA = (
    "nvidia-cublas-cu12",
    "nvidia-cuda-cupti-cu12",
    "nvidia-cuda-nvcc-cu12",
    "nvidia-cuda-nvrtc-cu12",
    "nvidia-cuda-runtime-cu12",
    "nvidia-cudnn-cu12",
    "nvidia-cufft-cu12",
    "nvidia-curand-cu12",
    "nvidia-cusolver-cu12",
    "nvidia-cusparse-cu12",
    "nvidia-nccl-cu12",
    "nvidia-nvjitlink-cu12",
)
"""What TensorFlow's extra ``and-cuda`` adds to it; the driver is the machine's own."""

GPU_IMAGE: ImageName = "train-gpu"
"""The image of steps that were given a GPU: ``train`` with the CUDA libraries."""

TRAINING = ("train", "distill", "prune", "cluster", "quantize_aware", "search")
"""Components that train networks, so that a GPU pays; what they need of one is in GPU_IMAGE."""

PACKAGES: Mapping[ImageName, tuple[str, ...]] = {
    "light": _LIGHT,
    "device": _DEVICE,
    "train": _TRAIN,
    GPU_IMAGE: (*_TRAIN, *CUDA),
}
"""What each image installs, at the versions of ``constraints.txt``."""

OPTIONAL: Mapping[ImageName, tuple[str, ...]] = dict.fromkeys(
    ("train", GPU_IMAGE), ("pillow-heif",)
)
"""What steps use where it is installed: results hang on whether it is. Containers are without."""

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "search": ("optuna",),
    "benchmark_browser": ("brotli",),
    "benchmark_microcontroller": ("tflite-micro",),
}
"""By component what it needs and no other does: an extra on this machine (``pip install
slimline[search]``), while the image of the component always has it."""

EXTRA_NAMES: Mapping[str, str] = {"benchmark_microcontroller": "microcontroller"}
"""What the extra of a component is called where that is not the component's name."""

X86_64_ALONE = frozenset({"tflite-micro"})
"""Packages that are published for no other processor: images for others are without."""

_TRAIN_FRAMEWORKS = (
    "numpy",
    "tensorflow",
    "tf_keras",
    "tensorflow_model_optimization",
    "litert_quantizer.quantizer",
    "safetensors.numpy",
    "PIL.Image",
)
FRAMEWORKS: Mapping[ImageName, tuple[str, ...]] = {
    "light": ("numpy", "jinja2"),
    "device": ("numpy", "ai_edge_litert.interpreter"),
    "train": _TRAIN_FRAMEWORKS,
    GPU_IMAGE: _TRAIN_FRAMEWORKS,
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
    GPU_IMAGE: _ENTRY,
}
"""What a server imports once before it forks steps: the frameworks only where they take seconds,
and never for what is measured, which begins as a fresh process would. A step with a GPU imports
TensorFlow itself, after it was told which GPU is its own."""


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
            gpu = "remove gpu from their limits, to train on the CPU, or: "
            install = "pip install -c constraints.txt 'tensorflow[and-cuda]'"
            raise UserError(
                f"the package {name}, which {image} steps need, is not installed in {sys.prefix}",
                f"{gpu}{sys.prefix}/bin/{install}" if name in CUDA else "make install",
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
            extra = EXTRA_NAMES.get(component, component)
            raise not_installed(component, name, extra) from None
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
def component_environment(component: str, image: ImageName | None = None) -> str:
    """Return the digest of what results of a component hang on, on this machine.

    Args:
        component: Which one.
        image: What its step runs in; None: what the component names.

    Raises:
        UserError: A package of its image, or its extra, is not installed.
    """
    from components.contract.interface import interface_of  # takes a second of a command's help

    image = image or interface_of(component).image
    return with_extras(environment_digest(image), extras(component))


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
