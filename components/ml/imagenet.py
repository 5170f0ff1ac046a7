"""Weights trained on ImageNet: which are published, under which name and hash, for what input.

Addresses and hashes are read from the installed ``tf_keras``, in its source and without importing
it. Files are without the head of the 1,000 classes ("notop").
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from components.contract.errors import UserError

BACKBONES: Final = ("resnet50", "mobilenet_v2")
"""Backbones that weights are published for."""

KEY: Final = "imagenet"
"""What a configuration writes for them: ``weights: imagenet``."""

ALPHAS: Final = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
"""Widths of ``mobilenet_v2`` that weights are published for."""

SIDE_MIN: Final = 32
"""Least height and width of an image, pixels: what is left of it at the end is one of 32."""

MEAN, SCALE = 127.5, 127.5
"""What ``mobilenet_v2`` was trained with: input = (pixel - 127.5) / 127.5."""

BLUE_GREEN_RED_MEANS: Final = (103.939, 116.779, 123.68)
"""What ``resnet50`` was trained with: these subtracted, channels in this order, no scale."""

_SIDES = (96, 128, 160, 192, 224)
_RESNET50 = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"


@dataclass(frozen=True)
class Published:
    """A file of weights that ``keras.applications`` downloads.

    Attributes:
        file: Its name.
        address: Where the framework takes it from.
        md5: The hash that the framework checks, 32 hexadecimal digits; empty where it checks none.
    """

    file: str
    address: str
    md5: str = ""


def file_for(backbone: str, alpha: float, height: int, width: int) -> str:
    """Return the file for a backbone: the one that ``keras.applications`` itself would take.

    Args:
        backbone: One of ``BACKBONES``.
        alpha: One of ``ALPHAS``; 1 for ``resnet50``.
        height: Of the images, pixels.
        width: Of the images, pixels. ``mobilenet_v2`` was trained at several sizes of a square;
            every other size takes the weights of 224 x 224.
    """
    if backbone == "resnet50":
        return _RESNET50
    side = height if height == width and height in _SIDES else 224
    return f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{float(alpha)}_{side}_no_top.h5"


def published(file: str) -> Published:
    """Return where a file of ``file_for`` is published.

    Raises:
        UserError: ``tf_keras``, which knows the addresses, is not installed.
    """
    if file == _RESNET50:
        return Published(file, _constants("resnet.py")["BASE_WEIGHTS_PATH"] + file, resnet50_md5())
    return Published(file, _constants("mobilenet_v2.py")["BASE_WEIGHT_PATH"] + file)


def resnet50_md5() -> str:
    """Return the published hash of the weights of ``resnet50`` without a head."""
    return _constants("resnet.py")["WEIGHTS_HASHES"]["resnet50"][1]


@cache
def _constants(module: str) -> dict[str, Any]:
    """Return the constants of a module of ``tf_keras.applications``."""
    found = importlib.util.find_spec("tf_keras")
    if found is None or found.origin is None:
        raise UserError(
            "the package tf_keras, which knows where pretrained weights are, is not installed",
            "make install",
        )
    path = Path(found.origin).parent / "src" / "applications" / module
    return dict(_assigned(ast.parse(path.read_bytes())))


def _assigned(module: ast.Module) -> Iterator[tuple[str, Any]]:
    for node in module.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                yield node.targets[0].id, ast.literal_eval(node.value)
            except ValueError:  # computed, and none that is asked for
                continue
