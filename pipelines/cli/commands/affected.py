"""``slimline affected``: which releases an image, a file or a person is in."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from components.contract.errors import UserError
from pipelines.cli.arguments import add_command, file_or_sha256, open_existing, store_arguments
from pipelines.cli.output import ANSWER_NO, OK, print_json, print_remark, print_text

if TYPE_CHECKING:
    from pipelines.lineage.affected import Answer
    from pipelines.lineage.index.opening import OpenIndex
    from pipelines.lineage.sightings import Searched

_SHOWN = 8


def add(commands: Any) -> None:
    """Add the parser of the command."""
    summary = "which releases an image, a file or a person is in"
    parser = add_command(commands, "affected", summary, run)
    parser.add_argument(
        "what", nargs="?", metavar="FILE|SHA256",
        help="a file: by its bytes, and by what it shows; or the sha256 of its bytes",
    )  # fmt: skip
    parser.add_argument("--identity", metavar="NAME", help="everything under this label")
    parser.add_argument(
        "--check",
        action="store_true",
        help="exit with 4 where a champion was made with it, or nobody can tell",
    )
    store_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the answer and return the exit code."""
    from dataclasses import asdict

    from pipelines.lineage.affected import affected
    from pipelines.lineage.index.opening import open_index
    from pipelines.runs.removal.erasures import erasures

    if (arguments.what is None) == (arguments.identity is None):
        raise UserError(
            "affected takes either a file or a sha256, or --identity NAME",
            "slimline affected photo.jpg; or slimline affected --identity 'Jane Doe'",
        )
    store = open_existing(arguments)
    with open_index(store) as index:
        searched = _searched(arguments, index)
        answer = affected(index, searched, erasures(store))
        made_here = searched.sha256 is not None and index.one(
            "SELECT 1 FROM file WHERE sha = ?", (bytes.fromhex(searched.sha256),)
        )
    if arguments.json:
        print_json(asdict(answer))
    else:
        _print(answer, arguments.what or arguments.identity)
        if made_here and not answer.releases:
            print_remark(
                "a step made this file: what it was made of, and what was made of it, is told by "
                f"slimline lineage {arguments.what}"
            )
    doubtful = answer.champions or answer.unsearched_champions
    return ANSWER_NO if arguments.check and doubtful else OK


def _searched(arguments: argparse.Namespace, index: OpenIndex) -> Searched:
    """Return what is looked for.

    Raises:
        UserError: There is no such file, and it is no sha256.
    """
    from pipelines.lineage.showing import pixels_of
    from pipelines.lineage.sightings import Searched, decodings

    if arguments.identity is not None:
        return Searched(identity=arguments.identity)
    sha256, path = file_or_sha256(arguments.what)
    pixels = pixels_of(path, decodings(index)) if path else ()
    return Searched(sha256, pixels, at_hand=path is not None)


def _print(answer: Answer, what: str) -> None:
    """Print what a person reads: the releases, then where it was found, then what was not."""
    if not answer.releases:
        print_text(f"no release was made with {what}")
    for one in answer.releases:
        roles = ", ".join(f"{role} ({count})" for role, count in sorted(one.roles.items()))
        print_text(f"{one.state}: {one.name} {one.release[:_SHOWN]} of run {one.run}: {roles}")
    for sighting in answer.found:
        as_what = sighting.role or f"{sighting.status}, no model was made of it"
        through = f", as {sighting.stands_for} shows the same" if sighting.stands_for else ""
        where = f"{sighting.name or 'an image'} in dataset {sighting.dataset[:_SHOWN]}"
        print_text(f"  {where}, by {sighting.by}: {as_what}{through}")
    if answer.sightings > len(answer.found):
        print_text(f"  and {answer.sightings - len(answer.found)} more")
    for sentence in answer.not_searched:
        print_remark(f"not searched: {sentence}")
    for champion in answer.unsearched_champions:
        print_remark(f"nobody can tell of the champion {champion}: its data was not searched whole")
    for sentence in answer.not_found_by:
        print_remark(f"not found this way: {sentence}")
