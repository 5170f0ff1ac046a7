"""``slimline promote``: a release becomes the champion, if the gate says yes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.contract.errors import UserError
from pipelines.cli.arguments import add_command, open_existing, store_arguments
from pipelines.cli.output import ANSWER_NO, OK, complain, print_json, print_remark, print_text

if TYPE_CHECKING:
    from pipelines.releases.promoting import Promoted

_CHANGES = """\
changes: the log of releases gets an entry, champion.json follows it, and the files are copied to
where apps read them; with a key the entry is signed. Where the gate looks at sealed images, the
ledger notes it, whatever the answer. Nothing is removed: slimline rollback takes it back."""


def add(commands: Any) -> None:
    """Add the parser of the command."""
    summary = "make a release the champion that apps download, if the gate says yes"
    parser = add_command(commands, "promote", summary, run, _CHANGES)
    parser.add_argument(
        "release", metavar="RELEASE",
        help="a run, NAME@latest, NAME@RUN, or digits of the digest",
    )  # fmt: skip
    parser.add_argument(
        "--reason", metavar="TEXT", help="why; the log keeps it (default: what the gate says)"
    )
    parser.add_argument(
        "--force", metavar="REASON",
        help="promote although the gate says no or cannot decide; the log keeps the reason",
    )  # fmt: skip
    settings_arguments(parser)
    store_arguments(parser)


def settings_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says which section ``releases`` counts, and who signs."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE",
        help="a configuration whose section releases counts (default: that of the run)",
    )  # fmt: skip
    parser.add_argument(
        "--key", type=Path, metavar="FILE",
        help="sign with this private P-256 key, instead of releases.key",
    )  # fmt: skip


def check_text(option: str, text: str | None) -> None:
    """Refuse a reason that says nothing.

    Raises:
        UserError: It is blank.
    """
    if text is not None and not text.strip():
        raise UserError(
            f"{option} is blank", f"write the reason: {option} 'what people should know'"
        )


def run(arguments: argparse.Namespace) -> int:
    """Promote, say what the gate found, and return the exit code."""
    from functools import partial

    from pipelines.releases import gate
    from pipelines.releases.naming import named_release
    from pipelines.releases.promoting import promote
    from pipelines.releases.settings import settings_of
    from pipelines.releases.signing import signer_of
    from pipelines.runs.actor import actor
    from pipelines.runs.cache import Cache
    from pipelines.runs.workspace import workspace_root

    check_text("--force", arguments.force)
    check_text("--reason", arguments.reason)
    if arguments.force is not None and arguments.reason is not None:
        raise UserError(
            "--force gives a reason, and --reason another one",
            "leave --reason out: the log keeps that of --force",
        )
    store = open_existing(arguments)
    cache = Cache(store, workspace_root(store))
    published = named_release(cache, arguments.release)
    settings, remark = settings_of(store, published, arguments.config)
    if remark:
        print_remark(remark)
    done = promote(
        cache,
        published,
        settings,
        actor=actor(),
        judge=partial(gate.judge, cache),
        reason=arguments.reason,
        force=arguments.force,
        signer=signer_of(arguments.key or settings.key),
    )
    say(done, as_json=arguments.json)
    if done.outcome == "refused":
        complain(
            f"the gate does not let {published} pass",
            f"slimline promote {arguments.release} --force REASON, if somebody answers for it",
        )
        return ANSWER_NO
    return OK


def say(done: Promoted, *, as_json: bool) -> None:
    """Print what came of a wish to change the champion."""
    from dataclasses import asdict

    from pipelines.cli import release_documents, release_text

    if as_json:
        print_json(asdict(release_documents.changed_champion(done)))
        return
    for sentence in release_text.promoted(done):
        print_text(sentence)
