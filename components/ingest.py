"""Ingest: the user's images, checked, freed of duplicates and split once for all that follows."""

from __future__ import annotations

from typing import Literal

from components.contract.types import DatasetOut, ReportOut, SourceIn, Threads
from components.data.settings import CurationPlan, TargetFormat

IMAGE = "train"


def ingest(
    source: SourceIn,
    dataset: DatasetOut,
    sealed: DatasetOut,
    report: ReportOut,
    pairs: SourceIn | None = None,
    *,
    target: TargetFormat,
    curation: CurationPlan,
    label_column: Literal["first", "last"] | None = None,
    threads: Threads = 2,
) -> None:
    """Check, de-duplicate, resize and split images into an open and a sealed dataset.

    Each file is decoded by what it is and not by its name. What is damaged or would need a guess
    (animated, CMYK, 16-bit colour, more than ``max_pixels`` in its header) is quarantined by name
    and reason. Images with equal pixels are one; with different labels they
    contradict each other and both are quarantined. The manifest and the report say what
    became of every file; the result depends on contents, parameters and seed, not on threads.

    A split of the data itself is kept: folders at the top called train, val, test and the like
    that hold the folders of labels, or a column ``split``. Its test images are the sealed ones,
    its validation images are halved into validation and selection, and what is missing is drawn
    from its training images. The official test files of an idx folder are no split of their own:
    all records are one pool, so that the sealed images come from the same draw as the others.

    Where the source says to which group (a site, a camera, an alphabet) images belong, the
    datasets hold it, so that evaluate gives every metric for each group.

    Pairs that the user lists stay out of training: what they show (the identity; by group or by
    image the group or the image) is sealed, and nothing else is. Their images are kept beside the
    sealed split, those of identities with one image included.

    Args:
        source: Folder with a sub-folder for each class or identity, ``.npz``, idx or csv files, or
            images that a csv file lists.
        dataset: Splits train, validation (best epoch, threshold) and selection.
        sealed: The one split that nothing sees before the winner is known.
        report: ``ingest.json``: counts, reasons, classes, groups, sizes; ``left_out.jsonl``: a line
            for every image that is not used; ``near_duplicates.jsonl``: a line for every pair of
            images in two splits or under two labels that show almost the same.
        pairs: A list of pairs in the form of LFW's ``pairs.txt``, or a csv file with the columns
            ``first``, ``second``, ``same`` and perhaps ``fold``.
        target: What the images are turned into.
        curation: How they are chosen and split.
        label_column: Where a csv of pixels has its labels, if no header says so.
        threads: Images decoded at once.

    Raises:
        UserError: A list of pairs names what is not there; too little is left, also for the metric
            of the budget; parameters that contradict each other, a damaged file of records, or
            files that changed since they were listed.
    """
    import sys
    from dataclasses import asdict

    from components.artifacts.data_use import LEFT_OUT, NEAR_DUPLICATES, REPORT
    from components.artifacts.dataset import OPEN_SPLITS, SEALED, write_dataset
    from components.contract.digests import canonical_json
    from components.contract.progress import tell
    from components.contract.source import Source
    from components.data.accounting import data_use, in_words, left_out, near_duplicates
    from components.data.curation import curate
    from components.data.grouping import group_counts, grouping_of
    from components.data.manifest import (
        class_names,
        described,
        has_records,
        ingest_report,
        manifest,
        record_fates,
        with_rows,
    )
    from components.data.measurable import check_measurable
    from components.data.near_duplicates import clusters
    from components.data.pairs_file import listed_pairs
    from components.data.reading import read_source
    from components.data.spelling import respelled, same_groups, same_names

    curation.check()
    opened = Source.open(source)
    found = read_source(opened, target, threads, curation.labels, label_column, curation.groups)
    tell(phase="dividing the images")
    alike, alike_groups = same_names(found.images), same_groups(found.images)
    images = respelled(found.images, alike, alike_groups, curation.same_names)
    listed = listed_pairs(Source.open(pairs), images) if pairs else None
    paired = {images[place].name for place in listed.images} if listed else set[str]()
    near = found.near_pairs()
    together = near if curation.near_duplicates == "together" else []
    leaders = clusters((images[one].digest, images[other].digest) for one, other in together)
    curated = with_rows(opened, images, curate(images, curation, paired, leaders))
    found.check_brightness(target.maximum)
    classes = class_names(image.label for image, _ in curated.used())
    groups = grouping_of(curated, curation)
    splits = found.splits(curated, classes)
    labels = {split: of_split for split, (_, of_split) in splits.items()}
    warnings = check_measurable(labels, groups, curation)
    tell(phase="writing the splits")
    for path, names in ((dataset, OPEN_SPLITS), (sealed, (SEALED,))):
        write_dataset(
            path,
            {name: splits[name] for name in names},
            task=curation.task,
            classes=classes,
            split_by=curation.split_by,
            resample=curation.resample,
            description=described(curated, names[-1], curation.split_by),
            groups=groups,
            manifest=manifest(curated, sealed=path is sealed),
            records=record_fates(curated) if path is dataset and has_records(opened) else None,
            threads=threads,
        )
    if listed:
        found.paired(listed, curated).write(sealed)
    told = near_duplicates(curated, near)
    use = data_use(curated, curation.task, [*alike, *alike_groups], told, warnings)
    counts = group_counts(curated)
    content = {
        **ingest_report(curated, found.sizes),
        "task": curation.task,
        "resample": curation.resample,
        "use": asdict(use),
    }
    if counts:
        content["groups"] = counts
    report.mkdir(parents=True, exist_ok=True)
    (report / REPORT).write_bytes(canonical_json(content))
    for name, lines in ((LEFT_OUT, left_out(curated)), (NEAR_DUPLICATES, map(asdict, told))):
        with (report / name).open("wb") as file:
            file.writelines(canonical_json(line) + b"\n" for line in lines)
    sys.stdout.write("".join(f"{line}\n" for line in in_words(use, counts)))
