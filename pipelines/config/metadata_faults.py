"""What a configuration asks for that MediaPipe, which metadata is written for, does not take."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.config.configuration import Config
from pipelines.config.faults import Fault, where

_WITHOUT = "or leave metadata away"


def metadata_faults(config: Config) -> Iterator[Fault]:
    """Check that files with metadata have an input and an output that MediaPipe's tasks take."""
    if config.convert.get("metadata") is not True:
        return
    channels = config.image.channels
    if channels != 3:
        what = f"MediaPipe takes images of 3 channels, and image.channels is {channels}"
        fix = f"write image: {{channels: 3}}, {_WITHOUT}"
        yield ("convert", "metadata"), f"convert.metadata: {what}", fix
    for variant, path in config.variants.items():
        for index, step in enumerate(path):
            for edge in ("input_type", "output_type"):
                if step.parameters.get(edge) == "int8":
                    location = ("variants", variant, index, step.component, edge)
                    what = "convert.metadata is for MediaPipe, which takes uint8 and float32"
                    fix = f"write {edge}: uint8, {_WITHOUT}"
                    yield location, f"{where(location)}: {what}, not int8", fix
