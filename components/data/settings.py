"""Settings of ingest, which are parts of its signature; loads no numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from components.artifacts.framing import Framing
from components.contract.errors import UserError
from components.contract.types import (
    Fraction,
    FromGraph,
    Offered,
    PositiveInt,
    Seed,
    Task,
    Unit,
)


@dataclass(frozen=True, kw_only=True)
class TargetFormat(Framing):
    """What images are turned into, and from what.

    Attributes:
        height: Of the resized images, pixels.
        width: Of the resized images, pixels.
        channels: 1 for grey, 3 for RGB.
        maximum: Largest pixel value in the files: 16 for scikit-learn's digits, 1 for floats,
            65535 for 16-bit images. It becomes 255.
        max_pixels: Most pixels of a file, stated in its header before it is decoded.
    """

    height: Annotated[PositiveInt, FromGraph()]
    width: Annotated[PositiveInt, FromGraph()]
    channels: Annotated[Literal[1, 3], FromGraph()] = 3
    maximum: Annotated[PositiveInt, FromGraph()] = 255
    max_pixels: Annotated[int, Field(gt=0, le=150_000_000)] = 50_000_000


@dataclass(frozen=True, kw_only=True)
class CurationPlan:
    """How images are chosen and split.

    Attributes:
        task: Verification quarantines an identity with one image: it has no genuine pair.
        split_by: Whole identities, so that people who judge were never trained on, or images.
        validation: Part of the identities or images, 0 to 1.
        selection: Part of the identities or images, 0 to 1.
        sealed_fraction: Part of the identities or images, 0 to 1.
        subset: Most images in all, drawn evenly over the classes.
        evaluation_images: Most images of a split other than train; all pairs are compared.
        minimum_images: A class or identity with fewer usable images is quarantined.
        seed: Decides who goes to which split.
    """

    task: Annotated[Task, FromGraph()]
    split_by: Annotated[Unit, Offered("by")] = "identity"
    validation: Fraction = 0.15
    selection: Fraction = 0.15
    sealed_fraction: Annotated[Fraction, Offered("sealed")] = 0.15
    subset: PositiveInt | None = None
    evaluation_images: PositiveInt = 2000
    minimum_images: PositiveInt = 2
    seed: Seed = 0

    @property
    def shares(self) -> Mapping[str, float]:
        """Part of all for each split but train."""
        return {
            "sealed": self.sealed_fraction,
            "selection": self.selection,
            "validation": self.validation,
        }

    @property
    def resample(self) -> Unit:
        """What intervals on these images are resampled over: what was drawn as a whole."""
        whole = (self.task, self.split_by) == ("verification", "identity")
        return "identity" if whole else "image"

    def check(self) -> None:
        """Refuse what cannot work whatever the data.

        Raises:
            UserError: Names the parameters that contradict each other.
        """
        if self.task == "classification" and self.split_by == "identity":
            raise UserError(
                "classification cannot be split by identity: every split needs every class",
                "set split_by: image",
            )
        if sum(self.shares.values()) >= 1:
            raise UserError(
                f"validation, selection and sealed_fraction add up to "
                f"{sum(self.shares.values()):g}; nothing is left to train on",
                "lower them until their sum is below 1",
            )
        if self.task == "verification" and self.minimum_images < 2:
            raise UserError(
                "minimum_images is 1; verification compares two images of an identity",
                "set minimum_images: 2",
            )
