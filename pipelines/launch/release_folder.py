"""The folder of a release, and whether every file in it is one that slimline wrote there.

``files.json`` lists the others with their sha256, and says which run they are of. What a person
edited, added or linked there is not slimline's: such a folder is never replaced. Folders of earlier
versions have no list; of those the store of their run knows every byte.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from components.artifacts.empty import FILE as NOTHING
from components.artifacts.qualification import MANIFEST
from components.contract.digests import canonical_json, file_sha256
from components.contract.errors import UserError
from components.contract.tree import SINGLE
from pipelines.disk.files import disk_faults
from pipelines.runs.cache import Cache, CorruptionError
from pipelines.runs.choices import SELECT
from pipelines.runs.records import read_run
from pipelines.runs.releases.registry import registered
from pipelines.stores.store import is_key

LIST = "files.json"
PAGE = "report.html"
LATEST_PAGE = "latest-run.html"
"""The report of a later run whose release did not take the place of this one."""

_EARLIER = ("model.tflite", MANIFEST, "card.md", "card.html", NOTHING, PAGE)
"""What earlier versions wrote into such a folder, which had no list."""
_LIST_BYTES_MAX = 1 << 20

_Sha = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True)
class ReleaseList:
    """The content of ``files.json``.

    Attributes:
        run: Identifier of the run that made the release.
        release: Tree digest of the release.
        files: The sha256 of every other file of the folder, by name.
        latest_run: The later run that ``latest-run.html`` is of, or None.
        schema: Version of the list.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="forbid")

    run: str
    release: _Sha
    files: Mapping[str, _Sha]
    latest_run: str | None = None
    schema: Literal[1] = field(default=1)

    def to_bytes(self) -> bytes:
        """Return the bytes of the file."""
        return canonical_json(asdict(self))


_LIST = TypeAdapter(ReleaseList)


@dataclass(frozen=True)
class Foreign:
    """A file that slimline did not write, or that is no longer as it was written.

    Attributes:
        name: In the folder.
        what: What is wrong with it.
        state: ``foreign``, ``damaged`` or ``missing``.
    """

    name: str
    what: str
    state: Literal["foreign", "damaged", "missing"] = "foreign"


def read_list(folder: Path) -> ReleaseList | None:
    """Return the list of a release folder; None where there is none that can be read."""
    path = folder / LIST
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > _LIST_BYTES_MAX:
            return None
        return _LIST.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def examine(
    folder: Path, cache: Cache | None, names: Sequence[str] = ()
) -> tuple[ReleaseList | None, list[Foreign]]:
    """Hold a folder against what slimline wrote there.

    Args:
        folder: Which one; it is there.
        cache: The store of the run, for folders of earlier versions; None where nobody knows it.
        names: Names under which the release of such a folder may be registered.

    Returns:
        What slimline wrote there, or None where that cannot be told; and all that differs. An empty
        folder differs in nothing.

    Raises:
        UserError: The folder cannot be read.
    """
    with disk_faults(folder):
        held = sorted(path.name for path in folder.iterdir())
        if not held:
            return None, []
        if LIST not in held:
            return _examine_earlier(folder, held, cache, names)
        listed = read_list(folder)
        if listed is None:
            return None, [Foreign(LIST, "is not a list of files as slimline writes it", "damaged")]
        return listed, list(_compare(folder, held, {**listed.files, LIST: None}))


def _compare(
    folder: Path, held: Sequence[str], expected: Mapping[str, str | None]
) -> Iterator[Foreign]:
    """Hold a folder against what should be in it; None as digest is any bytes."""
    for name in held:
        if name not in expected:
            yield Foreign(name, "is nothing that slimline wrote there")
        elif not _is_file(folder / name):
            yield Foreign(name, "is a link or a special file, where slimline wrote a file")
        elif (digest := expected[name]) and file_sha256(folder / name) != digest:
            yield Foreign(name, "is not as slimline wrote it", "damaged")
    for name in expected:
        if name not in held:
            yield Foreign(name, "is gone", "missing")


def _examine_earlier(
    folder: Path, held: Sequence[str], cache: Cache | None, names: Sequence[str]
) -> tuple[ReleaseList | None, list[Foreign]]:
    """Hold a folder of an earlier version against what the runs of a store exported."""
    unknown = [
        Foreign(name, "is nothing that slimline wrote there")
        for name in held
        if name not in _EARLIER or not _is_file(folder / name)
    ]
    main = next((name for name in (MANIFEST, NOTHING) if name in held), None)
    if unknown or main is None or cache is None:
        return None, unknown or [Foreign(held[0], f"is in a folder without {LIST}")]
    written = file_sha256(folder / main)
    for name in dict.fromkeys((*_name_in(folder / main), *names)):
        for run, release in registered(cache.store, name):
            files = _exported_by(cache, run, release)
            if files.get(main) == written:
                return ReleaseList(run, release, files), list(_compare(folder, held, files))
    return None, [Foreign(main, f"is of no run that the store {cache.store.uri} knows")]


def _is_file(path: Path) -> bool:
    return stat.S_ISREG(path.lstat().st_mode)


def _name_in(manifest: Path) -> Iterator[str]:
    """Yield the name of a release as its manifest says it, if it says one."""
    try:
        name = json.loads(manifest.read_bytes())["name"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return
    if isinstance(name, str) and is_key(name) and "/" not in name:
        yield name


def differences(listed: ReleaseList, cache: Cache) -> list[Foreign] | None:
    """Name the files of a list that differ from what the run exported, as its store knows it.

    None where the store knows nothing of the run's release.
    """
    published = _exported_by(cache, listed.run, listed.release)
    if not published:
        return None
    files = {name: digest for name, digest in listed.files.items() if name != LATEST_PAGE}
    what = f"is not what run {listed.run} published"
    return [
        Foreign(name, what, "damaged")
        for name in sorted({*files, *published})
        if files.get(name) != published.get(name)
    ]


def report_in(outputs: Mapping[str, Mapping[str, str]]) -> str:
    """Return the tree digest of a run's report, found among the outputs of its steps.

    Runs of earlier versions have the page of select in its place.

    Raises:
        KeyError: The run has not got so far.
    """
    return outputs["publish"].get("report") or outputs[SELECT]["page"]


def _exported_by(cache: Cache, run: str, release: str) -> dict[str, str]:
    """Return name and sha256 of what a run exported; nothing where the store no longer knows."""
    try:
        entries = {entry.path: entry.sha256 for entry in cache.tree(release).entries}
        steps = read_run(cache.store, run).steps
        report = report_in({name: step.get("outputs") or {} for name, step in steps.items()})
        page = {entry.path: entry.sha256 for entry in cache.tree(report).entries}
        return {**entries, PAGE: page[SINGLE]}
    except (CorruptionError, KeyError, UserError):
        return {}
