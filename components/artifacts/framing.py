"""Framing: how an image of any size becomes one of the model's size.

A part of the signatures of ingest and publish: what training sees, an app has to do as well. It
loads no numpy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from components.contract.types import FromGraph, NonNegativeInt

Fit: TypeAlias = Literal["stretch", "crop", "pad"]
Crop: TypeAlias = Annotated[list[NonNegativeInt], Field(min_length=4, max_length=4)]
Colour: TypeAlias = Annotated[str, Field(pattern="^(white|grey|black|#[0-9a-fA-F]{6})$")]

_NAMED = {"white": (255, 255, 255), "grey": (128, 128, 128), "black": (0, 0, 0)}


@dataclass(frozen=True, kw_only=True)
class Framing:
    """How an image of any size becomes one of the model's size.

    Attributes:
        fit: stretch: the proportions are not kept. crop: the largest part of the model's
            proportions, from the middle. pad: the whole image, with ``background`` beside it.
        crop: Top row, left column, height and width, in pixels of the file, of the part that is
            taken before ``fit``; None takes all of it.
        background: What is put behind transparent images and, by pad, beside all: white, grey,
            black or ``#rrggbb``.
    """

    fit: Annotated[Fit, FromGraph()] = "stretch"
    crop: Annotated[Crop | None, FromGraph()] = None
    background: Annotated[Colour, FromGraph()] = "white"

    @property
    def background_rgb(self) -> tuple[int, int, int]:
        """Red, green and blue of the background, 0 to 255."""
        if self.background in _NAMED:
            return _NAMED[self.background]
        red, green, blue = bytes.fromhex(self.background.removeprefix("#"))
        return red, green, blue

    def in_words(self, height: int, width: int) -> str:
        """Return what an app has to do with an image, in sentences.

        Args:
            height: Rows of the model's input.
            width: Columns of the model's input.
        """
        sentences: list[str] = []
        if self.background != "white":
            sentences.append(f"Put {self._background} behind what is transparent.")
        if self.crop is not None:
            top, left, rows, columns = self.crop
            sentences.append(
                f"Cut out {rows} rows from row {top} on and {columns} columns from column {left} "
                "on, counted from 0."
            )
        size = f"{height} rows and {width} columns"
        if self.fit == "stretch":
            sentences.append(f"Scale the image to {size}.")
        elif self.fit == "crop":
            sentences.append(
                f"Cut the largest part with the proportions {height} to {width} out of the middle "
                f"of the image and scale it to {size}."
            )
        else:
            sentences.append(
                "Scale the image, keeping its proportions, to the largest size that fits into "
                f"{size}, put it in their middle and fill the rest with {self._background}."
            )
        return " ".join(sentences)

    @property
    def _background(self) -> str:
        red, green, blue = self.background_rgb
        return f"the colour {red}, {green}, {blue} (red, green, blue)"
