"""``slimline erase``: a person or a file is removed from all that a store keeps."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from components.contract.errors import UserError
from pipelines.cli.arguments import add_command, file_or_sha256, open_existing, store_arguments
from pipelines.cli.output import OK, print_json, print_text

if TYPE_CHECKING:
    from pipelines.retention.holding import DataSubject
    from pipelines.runs.removal.erasures import Erasure
    from pipelines.stores.store import Store

_CHANGES = """\
changes: removes images, what shows or names them, and results that rest on them, for good: from the
store, this machine's caches and the folders of clusters. Later runs of the store leave the images
out. Your own data and the weights of models stay; the certificate lists what was not reached."""


def add(commands: Any) -> None:
    """Add the parser of the command."""
    summary = "erase a person or a file from a store, and say what has to be trained anew"
    parser = add_command(commands, "erase", summary, run, _CHANGES)
    subject = parser.add_mutually_exclusive_group(required=True)
    subject.add_argument("--identity", metavar="NAME", help="a person, as folder or label has it")
    subject.add_argument(
        "--file", metavar="FILE",
        help="an image: its sha256; or where it lies, and then also what shows the same pixels",
    )  # fmt: skip
    subject.add_argument(
        "--resume", action="store_true", help="end an erasure that was begun and not ended"
    )
    parser.add_argument(
        "--reason", default="", metavar="TEXT", help="kept in the certificate; name nobody in it"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would go, change nothing")
    store_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Erase, print the certificate, and return the exit code."""
    from dataclasses import asdict

    from pipelines.retention.erasing import erase, plan, resume
    from pipelines.runs.actor import actor
    from pipelines.runs.cache import Cache
    from pipelines.runs.workspace import workspace_root

    store = open_existing(arguments)
    cache = Cache(store, workspace_root(store))
    if arguments.resume:
        if arguments.dry_run:
            raise UserError("--resume has no --dry-run", "leave one of them out")
        done = resume(cache)
    elif arguments.dry_run:
        subject = _subject(arguments, store)
        done = [plan(cache, subject, actor=actor(), reason=arguments.reason)[0]]
    else:
        done = [erase(cache, _subject(arguments, store), actor=actor(), reason=arguments.reason)]
    if arguments.json:
        print_json({"erasures": [asdict(one) for one in done]})
        return OK
    for one in done:
        print_text("\n".join(_lines(one)))
    if not done:
        print_text(f"{store.uri}: no erasure was begun and not ended")
    return OK


def _subject(arguments: argparse.Namespace, store: Store) -> DataSubject:
    """Return whom or what to erase; a file that lies here also by what it shows.

    Raises:
        UserError: There is no such file, or nobody is named.
    """
    from pipelines.lineage.index.opening import open_index
    from pipelines.lineage.showing import pixels_of
    from pipelines.lineage.sightings import decodings
    from pipelines.retention.holding import DataSubject

    if arguments.identity is not None:
        if not arguments.identity.strip():
            raise UserError("--identity names nobody", "give the name of the folder or the label")
        return DataSubject.of_identity(arguments.identity)
    sha256, path = file_or_sha256(arguments.file)
    if path is None:
        return DataSubject.of_file(sha256)
    with open_index(store) as index:
        return DataSubject.of_file(sha256, pixels_of(path, decodings(index)))


def _lines(one: Erasure) -> list[str]:
    """Return a certificate in words."""
    count = len(one.datasets)
    datasets = "1 dataset" if count == 1 else f"{count} datasets"
    images = sum(one.datasets.values())
    did = "erased" if one.finished else "would be erased"
    lines = [
        f"{did}: {one.subject} {one.digest[:8]}, {images} images in {datasets}, "
        f"{len(one.removed)} objects of the store"
        + (f", {one.removed_elsewhere} on this machine and in buckets" if one.finished else "")
    ]
    if one.models:
        lines.append(f"to be trained anew: {one.models} models (slimline run CONFIG)")
    for release in one.releases:
        champion = ", which is the champion" if release.champion else ""
        lines.append(f"concerned: release {release.name} of {release.run}{champion}")
    lines += [f"not reached: {what}" for what in one.unreached]
    if one.finished:
        lines.append(f"certificate: erasures/{one.id}.json, which names nobody")
    return lines
