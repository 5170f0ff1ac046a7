"""Ingest: the user's images, checked, freed of duplicates and split once for all that follows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from components.contract.types import (
    DatasetOut,
    Fraction,
    FromGraph,
    Offered,
    PositiveInt,
    ReportOut,
    Seed,
    SourceIn,
    Task,
    Unit,
)

IMAGE = "train"
MEMORY_GB = 4


def ingest(
    source: SourceIn,
    dataset: DatasetOut,
    sealed: DatasetOut,
    report: ReportOut,
    *,
    task: Annotated[Task, FromGraph()],
    height: Annotated[PositiveInt, FromGraph()],
    width: Annotated[PositiveInt, FromGraph()],
    channels: Annotated[Literal[1, 3], FromGraph()] = 3,
    maximum: Annotated[PositiveInt, FromGraph()] = 255,
    split_by: Annotated[Unit, Offered("by")] = "identity",
    validation: Fraction = 0.15,
    selection: Fraction = 0.15,
    sealed_fraction: Annotated[Fraction, Offered("sealed")] = 0.15,
    subset: PositiveInt | None = None,
    evaluation_images: PositiveInt = 2000,
    minimum_images: PositiveInt = 2,
    max_pixels: Annotated[int, Field(gt=0, le=150_000_000)] = 50_000_000,
    threads: PositiveInt = 2,
    seed: Seed = 0,
) -> None:
    """Check, de-duplicate, resize and split images into an open and a sealed dataset.

    Each file is decoded by what it is and not by its name. What is damaged or would need a guess
    (animated, transparent, CMYK, 16-bit colour, more than ``max_pixels`` in its header) is
    quarantined by name and reason. Images with equal pixels are one; with different labels they
    contradict each other and both are quarantined. The manifest and the report say what
    became of every file; the result depends on contents, parameters and seed, not on threads.

    The official test files of an idx folder are no split of their own: all records are one pool,
    so that the sealed images come from the same draw as the others.

    Args:
        source: Folder with a sub-folder for each class or identity, ``.npz``, idx or csv files.
        dataset: Splits train, validation (best epoch, threshold) and selection.
        sealed: The one split that nothing sees before the winner is known.
        report: ``ingest.json``: counts, reasons, classes, sizes.
        task: Verification quarantines an identity with one image: it has no genuine pair.
        height: Of the resized images, pixels; the aspect of a file is not kept.
        width: Of the resized images, pixels.
        channels: 1 for grey, 3 for RGB.
        maximum: Largest pixel value in the files: 16 for scikit-learn's digits, 1 for floats,
            65535 for 16-bit images. It becomes 255.
        split_by: Whole identities, so that people who judge were never trained on, or images.
        validation: Part of the identities or images, 0 to 1.
        selection: Part of the identities or images, 0 to 1.
        sealed_fraction: Part of the identities or images, 0 to 1.
        subset: Most images in all, drawn evenly over the classes.
        evaluation_images: Most images of a split other than train; all pairs are compared.
        minimum_images: A class or identity with fewer usable images is quarantined.
        max_pixels: Most pixels of a file, told before it is decoded.
        threads: Images decoded at once.
        seed: Decides who goes to which split.

    Raises:
        UserError: Too little is left, parameters that contradict each other, a damaged file of
            records, or files that changed since they were listed.
    """
    from components.artifacts.dataset import OPEN_SPLITS, SEALED, write_dataset
    from components.contract.digests import canonical_json
    from components.contract.source import Source
    from components.data.curation import CurationPlan, curate
    from components.data.manifest import (
        class_names,
        described,
        ingest_report,
        manifest,
        with_rows,
    )
    from components.data.reading import TargetFormat, read_source

    plan = CurationPlan(
        task=task,
        split_by=split_by,
        shares={SEALED: sealed_fraction, "selection": selection, "validation": validation},
        subset=subset,
        evaluation_images=evaluation_images,
        minimum_images=minimum_images,
        seed=seed,
    )
    plan.check()
    opened = Source.open(source)
    target = TargetFormat(height, width, channels, maximum, max_pixels)
    found = read_source(opened, target, threads)
    curated = with_rows(opened, found.images, curate(found.images, plan))
    found.check_brightness(maximum)
    classes = class_names(image.label for image, _ in curated.used())
    splits = found.splits(curated, classes)
    for path, names in ((dataset, OPEN_SPLITS), (sealed, (SEALED,))):
        write_dataset(
            path,
            {name: splits[name] for name in names},
            task=task,
            classes=classes,
            split_by=split_by,
            resample="identity" if (task, split_by) == ("verification", "identity") else "image",
            description=described(curated, names[-1], split_by),
            manifest=manifest(curated, sealed=path is sealed),
        )
    report.mkdir(parents=True, exist_ok=True)
    (report / "ingest.json").write_bytes(canonical_json(ingest_report(curated, found.sizes)))
