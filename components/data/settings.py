"""Settings of ingest, which are parts of its signature; loads no numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from components.artifacts.framing import Framing
from components.contract.errors import UserError
from components.contract.types import (
    Fraction,
    FromGraph,
    ImageSide,
    Offered,
    PositiveInt,
    Seed,
    SplitUnit,
    Task,
    Unit,
)

Labels: TypeAlias = Literal["folder", "path"]
SameNames: TypeAlias = Literal["refuse", "merge", "apart"]
Groups: TypeAlias = Literal["given", "folder"]
NearDuplicates: TypeAlias = Literal["report", "together"]


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

    height: Annotated[ImageSide, FromGraph()]
    width: Annotated[ImageSide, FromGraph()]
    channels: Annotated[Literal[1, 3], FromGraph()] = 3
    maximum: Annotated[PositiveInt, FromGraph()] = 255
    max_pixels: Annotated[int, Field(gt=0, le=150_000_000)] = 50_000_000


@dataclass(frozen=True, kw_only=True)
class CurationPlan:
    """How images are chosen and split.

    Attributes:
        task: Verification quarantines an identity with one image: it has no genuine pair.
        split_by: Whole identities, so that people who judge were never trained on; images; or
            whole groups: see ``groups``.
        validation: Part of the identities, images or groups, 0 to 1. It means nothing where the
            data has a split of its own for it; so do the next two.
        selection: Part of the identities, images or groups, 0 to 1.
        sealed_fraction: Part of the identities, images or groups, 0 to 1.
        labels: The label of an image in a folder: the name of its folder, or the path of all
            folders above it, as in ``Alphabet/character01``. Labels in an ``.npz`` file are taken
            whole; ``path`` says that they are such paths.
        groups: Which group (a site, a camera, an alphabet) an image belongs to, so that every
            metric is given for each group. ``given``: what a csv file says in its column ``group``,
            or what an ``.npz`` file or idx files say beside the labels; with ``labels: path`` the
            first folder, or what stands before the first ``/`` of a label in an ``.npz`` file.
            ``folder``: images lie in ``GROUP/LABEL/IMAGE``, and equal labels of two groups are one.
        groups_needed: Whether data without groups is refused, because floors are to hold for each.
        impostors_needed: Whether data with too few impostor pairs for the true accept rate at 1e-3
            is refused, because the budget is of it.
        ways_needed: Identities that one-shot trials choose between, where the budget is of them:
            data with fewer is refused.
        same_names: What becomes of labels, and of groups, that differ in case, Unicode form or
            blanks around them alone: the data is refused; they are merged; or they stay apart.
        near_duplicates: What becomes of images that show almost the same (another compression,
            scale or brightness; not mirrored, rotated or cut) and are in different splits: they
            are reported; or kept together in one. Images below 32 x 32 pixels are not compared.
        subset: Most images in all, drawn evenly over the classes.
        evaluation_images: Most images of a split other than train in verification, where all
            pairs are compared; classification uses all.
        minimum_images: A class or identity with fewer usable images is quarantined.
        seed: Decides who goes to which split.
    """

    task: Annotated[Task, FromGraph()]
    split_by: Annotated[SplitUnit, Offered("by")] = "identity"
    validation: Fraction = 0.15
    selection: Fraction = 0.15
    sealed_fraction: Annotated[Fraction, Offered("sealed")] = 0.15
    labels: Labels = "folder"
    groups: Groups = "given"
    groups_needed: Annotated[bool, FromGraph()] = False
    impostors_needed: Annotated[bool, FromGraph()] = False
    ways_needed: Annotated[PositiveInt | None, FromGraph()] = None
    same_names: SameNames = "refuse"
    near_duplicates: NearDuplicates = "report"
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
        whole = self.task == "verification" and self.split_by != "image"
        return "identity" if whole else "image"

    @property
    def most_judging(self) -> int | None:
        """Most images of a split other than train; None is no limit."""
        return self.evaluation_images if self.task == "verification" else None

    def check(self) -> None:
        """Refuse what cannot work whatever the data.

        Raises:
            UserError: Names the parameters that contradict each other.
        """
        if self.task == "classification" and self.split_by == "identity":
            raise UserError(
                "classification cannot be split by identity: every split needs every class",
                "set split: {by: image}",
            )
        if sum(self.shares.values()) >= 1:
            raise UserError(
                f"validation, selection and sealed add up to "
                f"{sum(self.shares.values()):g}; nothing is left to train on",
                "lower them under split: until their sum is below 1",
            )
        if self.task == "verification" and self.minimum_images < 2:
            raise UserError(
                "minimum_images is 1; verification compares two images of an identity",
                "set split: {minimum_images: 2}",
            )
