"""What a question is about: a run, a step, a release, a digest, or a file on disk."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from components.contract.digests import file_sha256
from components.contract.errors import UserError, suggest
from pipelines.disk.files import disk_faults
from pipelines.disk.names import absolute
from pipelines.runs.records import list_runs, read_run
from pipelines.runs.releases.registry import registered, release_names
from pipelines.runs.releases.release_log import read_log
from pipelines.runs.results import read_result
from pipelines.stores.layout import (
    releases_prefix,
    result_key,
    run_key,
    started_key,
    step_of_record,
)
from pipelines.stores.store import KeyMissing, Store, is_key

SHOWN = 8
"""Hexadecimal digits of a digest that are shown; the fewest that name one."""

CHAMPION, LATEST = "champion", "latest"
_DIGITS = re.compile(r"(?:sha256:)?([0-9a-fA-F]{8,64})")
_MOST_LISTED = 10
_FIRST_RUN = "slimline run CONFIG"


class Index(Protocol):
    """What questions need of the index: the rows of a query."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Iterable[Sequence[Any]]:
        """Return the rows of an SQL query."""
        ...


@dataclass(frozen=True)
class RunNamed:
    """A run."""

    run: str

    def __str__(self) -> str:
        """Return what names it."""
        return self.run


@dataclass(frozen=True)
class StepNamed:
    """A step of a run."""

    run: str
    step: str

    def __str__(self) -> str:
        """Return what names it."""
        return f"{self.run}/{self.step}"


@dataclass(frozen=True)
class ReleaseNamed:
    """A release: tree digest, the configuration's name, and the run that published it."""

    name: str
    run: str
    release: str

    def __str__(self) -> str:
        """Return what names it."""
        return f"{self.name}@{self.run}"


@dataclass(frozen=True)
class DigestNamed:
    """A digest: of a tree, a file, a source, or of an image of the data."""

    digest: str

    def __str__(self) -> str:
        """Return what names it."""
        return self.digest


@dataclass(frozen=True)
class FileNamed:
    """A file of this machine and the sha256 of its bytes."""

    path: Path
    sha256: str

    def __str__(self) -> str:
        """Return what names it, also where a run is called alike."""
        return f"./{self.path}" if len(self.path.parts) == 1 else str(self.path)


Named: TypeAlias = RunNamed | StepNamed | ReleaseNamed | DigestNamed | FileNamed


def resolve(store: Store, index: Index | None, text: str, *, files: bool = True) -> Named:
    """Return what a text names.

    Args:
        store: Where runs, releases and digests are.
        index: Of the same store; it also knows the digests of images, which the store holds in
            listings alone. None: only what the store itself says.
        text: Identifier of a run or ``latest``, ``RUN/STEP``, ``NAME@champion``, ``NAME@latest``,
            ``NAME@RUN``, at least 8 digits of a digest, or the path of a file.
        files: Whether files of this machine are looked at; not for who asks from elsewhere.

    Raises:
        UserError: It names nothing, or more than one thing.
    """
    found = readings(store, index, text, files=files)
    if len(found) > 1:
        listed = ", ".join(str(one) for one in found[:_MOST_LISTED])
        more = f" and {len(found) - _MOST_LISTED} more" if len(found) > _MOST_LISTED else ""
        raise UserError(f"{text} may be any of {listed}{more}", "name one of them in full")
    if not found:
        raise _nothing(store, text, files=files)
    return found[0]


def readings(store: Store, index: Index | None, text: str, *, files: bool = True) -> list[Named]:
    """Return everything that a text may stand for; see ``resolve``."""
    found = [_file(text)] if files else []
    return list(dict.fromkeys(one for one in [*found, *_readings(store, index, text)] if one))


def _file(text: str) -> FileNamed | None:
    path = absolute(text)
    with disk_faults(path):
        return FileNamed(Path(text), file_sha256(path)) if path.is_file() else None


def _readings(store: Store, index: Index | None, text: str) -> Iterator[Named]:
    name, at, which = text.rpartition("@")
    if at and (notes := _notes(store, index, name, which)):
        yield _release(store, name, which, notes)
        return
    run, slash, step = text.partition("/")
    if text == LATEST:
        yield RunNamed(read_run(store, None).run)
    elif _is_run(store, run):
        if not slash:
            yield RunNamed(run)
        elif step in read_run(store, run).steps:
            yield StepNamed(run, step)
    if digits := _DIGITS.fullmatch(text):
        yield from _of_digits(store, index, digits[1].lower())


def _is_run(store: Store, run: str) -> bool:
    keys = [key for key in (run_key(run), started_key(run)) if is_key(key)]
    return any(stat is not None for stat in store.stat_many(keys))


# releases ---------------------------------------------------------------------------------------


_NOTES = (
    "SELECT r.run, a.digest FROM release r JOIN artifact a ON a.id = r.artifact "
    "WHERE r.name = ?{} ORDER BY r.run DESC LIMIT {}"
)


def _notes(store: Store, index: Index | None, name: str, which: str) -> dict[str, str]:
    """Return the releases of a name: run to tree digest, newest first.

    Of an index, which may hold very many, the one that is asked for; some where it is not there.
    """
    if index is not None:
        if which in (CHAMPION, LATEST):
            rows = list(index.execute(_NOTES.format("", 1), [name]))
        else:
            rows = list(index.execute(_NOTES.format(" AND r.run = ?", 1), [name, which]))
            rows = rows or list(index.execute(_NOTES.format("", 100), [name]))
        return {run: bytes(digest).hex() for run, digest in rows}
    return dict(registered(store, name)) if is_key(releases_prefix(name).rstrip("/")) else {}


def _release(store: Store, name: str, which: str, notes: Mapping[str, str]) -> ReleaseNamed:
    """Return the release of a name that is its champion, its latest, or of a run.

    Raises:
        UserError: There is none.
    """
    if which == CHAMPION:
        return _champion(store, name)
    run = next(iter(notes)) if which == LATEST else which
    if run not in notes:
        raise UserError(
            f"no release of {name} is of the run {which}",
            suggest(which, [CHAMPION, LATEST, *notes]),
        )
    return ReleaseNamed(name, run, notes[run])


def _champion(store: Store, name: str) -> ReleaseNamed:
    """Return the release that the log of releases says is the champion.

    Raises:
        UserError: Nothing was promoted, or the log is not what was written.
    """
    champion = read_log(store, name).check().champion
    if champion is None:
        raise UserError(f"no release of {name} was promoted yet", f"name {name}@{LATEST}")
    return ReleaseNamed(name, champion.run, champion.release)


# digests ----------------------------------------------------------------------------------------


def _of_digits(store: Store, index: Index | None, digits: str) -> Iterator[Named]:
    """Yield what has a digest that begins so; a whole digest need not be known here."""
    known = {digits} if len(digits) == 64 else _known(store, index, digits)
    if not known:
        return
    releases = _releases(store, index, known)
    for digest in sorted(known):
        step = _step_of_key(store, digest)
        yield releases.get(digest) or step or DigestNamed(digest)


def _known(store: Store, index: Index | None, start: str) -> set[str]:
    """Return all digests that begin so: of an index in no time, of a store by its listings."""
    if index is not None:
        bounds = (bytes.fromhex(start.ljust(64, "0")), bytes.fromhex(start.ljust(64, "f")))
        return {
            bytes(row[0]).hex()
            for table, column in _DIGESTS
            for row in index.execute(
                f"SELECT DISTINCT {column} FROM {table} WHERE {column} BETWEEN ? AND ? LIMIT 50",  # noqa: S608 names of our own
                bounds,
            )
        }
    prefixes = (
        f"trees/{start}", f"sources/{start}", result_key(start).removesuffix(".json"),
        f"cas/sha256/{start[:2]}/{start}",
    )  # fmt: skip
    return {
        key.rpartition("/")[2].removesuffix(".json")
        for prefix in prefixes
        for key in store.list(prefix)
    }


_DIGESTS = (
    ("artifact", "digest"), ("source", "digest"), ("file", "sha"), ("page_file", "sha"),
    ("fate", "sha"), ("fate", "pixels"), ("execution", "key"),
)  # fmt: skip
"""Where the index keeps digests that a person may name."""


def _releases(store: Store, index: Index | None, digests: set[str]) -> dict[str, ReleaseNamed]:
    """Return those of the digests that are releases; of several runs the first published it."""
    if index is not None:
        query = (
            "SELECT r.name, r.run FROM release r JOIN artifact a ON a.id = r.artifact "
            "WHERE a.digest = ? ORDER BY r.at, r.run LIMIT 1"
        )
        return {
            digest: ReleaseNamed(name, run, digest)
            for digest in digests
            for name, run in index.execute(query, [bytes.fromhex(digest)])
        }
    return {
        release: ReleaseNamed(name, run, release)
        for name in release_names(store)
        for run, release in registered(store, name)
        if release in digests
    }


def _step_of_key(store: Store, digest: str) -> StepNamed | None:
    """Return the step whose key this is, as it was executed."""
    try:
        run, step, _ = step_of_record(read_result(store.get(result_key(digest))).record)
    except (KeyMissing, ValueError):
        return None
    return StepNamed(run, step)


# nothing of the kind ----------------------------------------------------------------------------


def _nothing(store: Store, text: str, *, files: bool) -> UserError:
    """Return the error for a text that names nothing, with what it may have meant."""
    run, slash, step = text.partition("/")
    if slash and _is_run(store, run):
        steps = read_run(store, run).steps
        return UserError(f"run {run} has no step {step}", suggest(step, steps))
    names = release_names(store)
    if text in names:
        return UserError(
            f"{text} is what releases are called, not one of them",
            f"name {text}@{CHAMPION} or {text}@{LATEST}",
        )
    if files and absolute(text).is_dir():
        return UserError(f"{text} is a folder", f"name a file in it, such as {text}/model.tflite")
    if re.fullmatch(r"(?:sha256:)?[0-9a-fA-F]{1,7}", text):
        return UserError(f"{text} is too short for a digest", f"give at least {SHOWN} digits")
    if _DIGITS.fullmatch(text):
        return UserError(
            f"no digest in the store {store.uri} begins with {text}",
            "name more of what it is: a run, RUN/STEP, NAME@champion, or the file itself",
        )
    return _unknown(store, text, names, files=files)


def _unknown(store: Store, text: str, names: Sequence[str], *, files: bool) -> UserError:
    if "@" in text and "/" not in text:
        return UserError(
            f"the store {store.uri} holds no release called {text.rpartition('@')[0]}",
            suggest(text, [f"{name}@{LATEST}" for name in names]) if names else _FIRST_RUN,
        )
    runs = [record.run for record in list_runs(store)][-_MOST_LISTED:]
    no_file = f"there is no file {text}, and no such run" if files else f"no run {text}"
    return UserError(
        f"{no_file} or release in the store {store.uri}",
        suggest(text, runs) if runs else _FIRST_RUN,
    )
