"""``slimline verify``: whether every byte is as it was written, and leads to the user's files."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.contract.errors import UserError, suggest
from pipelines.cli.arguments import LATEST, STORE, add_command, open_existing, store_arguments
from pipelines.cli.output import ANSWER_NO, OK, print_json, print_remark, print_text

if TYPE_CHECKING:
    from pipelines.cli.documents import Verified
    from pipelines.lineage.naming import Named
    from pipelines.lineage.proof.chain import Extent
    from pipelines.lineage.proof.links import Chain, RebuiltStep
    from pipelines.stores.store import Store

_SOURCE = re.compile(r"(?:([a-z]+)=)?(.+)", re.DOTALL)


def add(commands: Any) -> None:
    """Add the parser of the command."""
    summary = "read every byte, follow releases back to your files, and name what is not right"
    parser = add_command(commands, "verify", summary, run)
    parser.add_argument(
        "what", nargs="?", metavar="WHAT",
        help="a run, a release (NAME@champion), a released file, a bundle, or the folder of a "
        "release (default: the whole store)",
    )  # fmt: skip
    parser.add_argument(
        "--deep", action="store_true",
        help="hash every file of every step, and not only those of the release (a run: always)",
    )  # fmt: skip
    parser.add_argument(
        "--source", action="append", default=[], metavar="[NAME=]PLACE",
        help="where your files are now, if not where the run found them; NAME is data (default), "
        "model, weights, pairs, outputs or modules",
    )  # fmt: skip
    parser.add_argument(
        "--key", type=Path, metavar="PEM",
        help="the public key of who should have signed the release; without it a signature is "
        "named and proves nothing",
    )  # fmt: skip
    parser.add_argument(
        "--rebuild", action="store_true",
        help="run its steps again, training included, and compare every byte; goes on where it "
        "was interrupted",
    )  # fmt: skip
    parser.add_argument(
        "--quarantine", action="store_true",
        help="move what is damaged in the store out of the way, so that it can be made anew",
    )  # fmt: skip
    store_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print what is not as it should be, and return the exit code."""
    from dataclasses import asdict

    from pipelines.cli import chain_text
    from pipelines.runs.verifying import ON_PURPOSE

    found = _verified(arguments)
    if arguments.json:
        print_json(asdict(found))
    else:
        for line in chain_text.lines_of(found):
            print_text(line)
    wrong = found.first_broken or any(finding.state not in ON_PURPOSE for finding in found.findings)
    if wrong:
        print_remark(f"fix: {chain_text.fix_of(found)}")
    return ANSWER_NO if wrong else OK


def _verified(arguments: argparse.Namespace) -> Verified:
    what = arguments.what
    folder = _folder(what)
    if what is None or folder:
        _refuse_chain(arguments)
        return _of_folder(arguments, folder) if folder else _of_store(arguments)
    if _is_bundle(what):
        return _of_bundle(arguments)
    return _of_run(arguments) if _is_run(arguments) else _of_release(arguments)


def _is_bundle(what: str) -> bool:
    from pipelines.lineage.bundles.reading import is_bundle

    return is_bundle(Path(what))


def _of_bundle(arguments: argparse.Namespace) -> Verified:
    """Check a bundle; no store is asked.

    Raises:
        UserError: Something was asked for that only a store has.
    """
    from pipelines.lineage.bundles.reading import verify_bundle
    from pipelines.releases.signature_link import with_signature

    given = {"--store": arguments.store, "--rebuild": arguments.rebuild,
             "--quarantine": arguments.quarantine}  # fmt: skip
    if named := [name for name, value in given.items() if value]:
        raise UserError(
            f"{', '.join(named)}: a bundle is verified by itself",
            f"slimline verify {arguments.what}, or name the run instead of the bundle",
        )
    chain, store = verify_bundle(Path(arguments.what), _extent(arguments))
    return _with_chain(with_signature(store, chain, arguments.key))


def _refuse_chain(arguments: argparse.Namespace) -> None:
    """Refuse what only a chain has.

    Raises:
        UserError: It was given for a store or a folder.
    """
    given = {
        "--source": arguments.source, "--rebuild": arguments.rebuild, "--deep": arguments.deep,
        "--key": arguments.key,
    }  # fmt: skip
    if named := [name for name, value in given.items() if value]:
        raise UserError(
            f"{', '.join(named)}: of a store or a folder all bytes are read, and nothing else",
            "name a run, a release (NAME@champion) or a released file",
        )


def _folder(what: str | None) -> Path | None:
    """Return the folder that is meant; None for a run or the whole store."""
    from pipelines.disk.files import disk_faults

    if what is None:
        return None
    path = Path(what)
    with disk_faults(path):
        return path if path.is_dir() else None


def _of_folder(arguments: argparse.Namespace, folder: Path) -> Verified:
    from pipelines.cli.documents import Verified
    from pipelines.launch.verifying import verify_folder

    store = open_existing(arguments) if arguments.store or Path(STORE).is_dir() else None
    found = verify_folder(folder, store)
    if found.unknown:
        where = f"the store {store.uri} does not know" if store else "no store was given for"
        print_remark(
            f"{where} the run {found.unknown}: its files were held against files.json alone"
        )
    return Verified(str(folder), found.objects, found.findings)


def _direct(arguments: argparse.Namespace) -> Store:
    """Open the store without a cache before it: what lies there itself is looked at."""
    from pipelines.stores.opening import open_store

    return open_store(open_existing(arguments).uri, direct=True)


def _of_store(arguments: argparse.Namespace) -> Verified:
    from pipelines.cli.documents import Verified
    from pipelines.runs.verifying import quarantine_damaged, verify_store

    store = _direct(arguments)
    objects, faults = verify_store(store)
    if arguments.quarantine:
        quarantine_damaged(store, faults)
    return Verified(store.uri, objects, faults)


def _is_run(arguments: argparse.Namespace) -> bool:
    """Whether a run is meant of which the store holds anything."""
    from pipelines.stores.layout import RUNS
    from pipelines.stores.store import is_key

    what = arguments.what
    if what == LATEST:
        return True
    if "/" in what or not is_key(what) or Path(what).is_file():
        return False
    return next(_direct(arguments).list(f"{RUNS}{what}/"), None) is not None


def _of_run(arguments: argparse.Namespace) -> Verified:
    """Read every byte that a run refers to, and follow its chain."""
    from pipelines.lineage.naming import RunNamed
    from pipelines.lineage.proof.verifying import verify_chain
    from pipelines.releases.signature_link import with_signature
    from pipelines.runs.records import read_run
    from pipelines.runs.verifying import quarantine_damaged, verify_run

    store = _direct(arguments)
    place = read_run(store, None).run if arguments.what == LATEST else arguments.what
    objects, faults = verify_run(store, place)
    chain = verify_chain(store, RunNamed(place), _extent(arguments))
    chain = with_signature(store, chain, arguments.key)
    found = _with_chain(chain, _rebuilt(arguments, store, RunNamed(place)))
    named = {fault.place for fault in faults}
    others = [fault for fault in found.findings if fault.place not in named]
    if arguments.quarantine:
        quarantine_damaged(store, faults)
    return replace(found, objects=objects, findings=[*faults, *others])


def _of_release(arguments: argparse.Namespace) -> Verified:
    """Follow the chain of a release, a file, a step or a digest."""
    from pipelines.lineage.naming import resolve
    from pipelines.lineage.proof.verifying import verify_chain
    from pipelines.releases.signature_link import with_signature

    if arguments.quarantine:
        raise UserError(
            "--quarantine: the chain of a release is only looked at",
            "slimline verify --quarantine, which looks at the whole store",
        )
    store = _direct(arguments)
    try:
        named = resolve(store, None, arguments.what)
    except UserError as error:
        raise _no_such(store, arguments.what, error) from error
    chain = verify_chain(store, named, _extent(arguments))
    chain = with_signature(store, chain, arguments.key)
    return _with_chain(chain, _rebuilt(arguments, store, named))


def _rebuilt(arguments: argparse.Namespace, store: Store, named: Named) -> list[RebuiltStep]:
    """Run the steps again where that is asked for."""
    if not arguments.rebuild:
        return []
    from pipelines.lineage.proof.rebuilding import rebuild
    from pipelines.lineage.proof.verifying import asked_of

    def told(step: RebuiltStep) -> None:
        if not arguments.json:
            print_remark(
                f"rebuilt: {step.step}: {step.state}{f': {step.what}' if step.what else ''}"
            )

    return rebuild(store, asked_of(store, named), _extent(arguments), told)


def _no_such(store: Store, what: str, error: UserError) -> UserError:
    """Return the error for what names nothing, with the runs that there are."""
    from pipelines.runs.records import list_runs

    if Path(what).exists() or "@" in what or "no such run" not in error.what:
        return error
    known = [record.run for record in list_runs(store)]
    return UserError(
        f"there is no folder {what}, and no such run in the store {store.uri}",
        suggest(what, known) if known else error.fix,
    )


def _extent(arguments: argparse.Namespace) -> Extent:
    """Return how much is to be looked at.

    Raises:
        UserError: A source that there is not.
    """
    from pipelines.disk.names import absolute
    from pipelines.lineage.proof.chain import Extent
    from pipelines.sources import snapshot

    names = (snapshot.DATA, snapshot.MODEL, snapshot.WEIGHTS, snapshot.PAIRS, snapshot.ANSWERS,
             snapshot.MODULES)  # fmt: skip
    places: dict[str, str | tuple[str, ...]] = {}
    for given in arguments.source:
        found = _SOURCE.fullmatch(given)
        name, place = (found[1], found[2]) if found else (None, given)
        if name and name not in names and not name.startswith((snapshot.RESULTS, snapshot.RUNNER)):
            if Path(given).exists():
                name, place = None, given
            else:
                raise UserError(
                    f"--source {given}: there is no source {name}", suggest(name, names)
                )
        where = place if "://" in place or ":" in place.partition("/")[0] else str(absolute(place))
        name = name or snapshot.DATA
        before = places.get(name, ())
        places[name] = (*before, where) if name == snapshot.MODULES and before != "" else where
    return Extent(deep=arguments.deep, places=places)


def _with_chain(chain: Chain, rebuilt: Sequence[RebuiltStep] = ()) -> Verified:
    from pipelines.cli.documents import Verified, chain_links
    from pipelines.lineage.proof.links import Fault

    findings = [fault for link in chain.links for fault in link.faults if fault.breaks]
    findings += [
        Fault(f"step {step.step}", "different", f"made again: {step.state}: {step.what}")
        for step in rebuilt
        if step.state in ("different", "not made")
    ]
    broken = chain.first_broken
    return Verified(
        chain.subject,
        chain.objects,
        list(dict.fromkeys(findings)),
        chain_links(chain),
        broken.name if broken else None,
        chain.below,
        rebuilt,
    )
