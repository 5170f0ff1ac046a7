"""The file of one component, for pipelines that others write: `slimline compile --component`."""

from __future__ import annotations

import argparse
import hashlib
from typing import TYPE_CHECKING

from components.contract.errors import UserError
from pipelines.cli.arguments import load_config
from pipelines.cli.output import OK, print_json, print_text

if TYPE_CHECKING:
    from components.contract.types import ImageName


def write_component(arguments: argparse.Namespace) -> int:
    """Write the file and return the exit code.

    Raises:
        UserError: There is no such component, or its image is not known.
    """
    from pipelines.engines.kubeflow.ir.component_file import component_file, image_of
    from pipelines.engines.kubeflow.ir.yaml_text import write

    name, gpu = arguments.component.replace("-", "_"), False
    if arguments.stage or arguments.target == "vertex" or arguments.kfp:
        what = "--component writes a file that every platform takes, and brings no data"
        raise UserError(what, "leave --stage, --target and --kfp out")
    if arguments.config is not None:
        config = load_config(arguments)
        limit = config.limits.get(name)
        gpu = bool(limit and limit.gpu)
    image = _image(arguments, image_of(name, gpu=gpu))
    text = component_file(name, image, gpu=gpu)
    write(text, arguments.output)
    if arguments.json:
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        file = str(arguments.output)
        print_json({"component": name, "file": file, "sha256": sha256, "image": image})
    else:
        print_text(f"wrote {arguments.output}: component {name}, image {image}")
    return OK


def _image(arguments: argparse.Namespace, wanted: ImageName) -> str:
    """Return an image with the digest that a registry gave it."""
    from pipelines.engines.kubeflow.bucket.image_digests import pushed, references

    if arguments.config is None:
        return pushed(wanted, arguments.registry)
    settings = load_config(arguments).kubeflow
    if settings is None:
        raise UserError(
            f"{arguments.config} has no section kubeflow, which names the images",
            "add it, or leave CONFIG out: --component NAME --registry REGISTRY",
        )
    images = references(settings, (wanted,))
    if wanted not in images:
        raise UserError(
            f"kubeflow.images: there is no image {wanted!r}",
            f"slimline images push REGISTRY {wanted}, and add the name that it prints",
        )
    return images[wanted]
