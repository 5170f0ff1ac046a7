"""Snapshots of sources: what the user's data is, file by file, before anything runs.

The snapshot is what caching hangs on: the same names, sizes and contents are the same source,
wherever they lie and whenever they were written. Hidden files and what operating systems leave in
folders are no data and are skipped by rule; links are followed; what cannot be read is listed, too.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.contract.source import EMPTY_FOLDER, Format, SourceFile, source_digest
from components.data.image_list import is_list, listed_images
from pipelines.disk.cache_folder import cache_folder
from pipelines.disk.names import check_name
from pipelines.sources.checksums import ChecksumCache
from pipelines.sources.data_format import EXPECTED, file_format, folder_format, lone_list
from pipelines.sources.local import PACKAGE, local_files
from pipelines.sources.other_forms import check_form, check_model_form
from pipelines.sources.together import Files, TogetherFiles
from pipelines.stores.bucket_uri import SCHEMES

DATA, MODEL, MODULES, WEIGHTS, ANSWERS = "data", "model", "modules", "weights", "outputs"
PAIRS = "pairs"
"""Names of the sources that a graph may have."""
RESULTS = "results-"
RUNNER = "runner-"
"""What the source of a device begins with that was measured elsewhere; its name follows."""
PUBLISHED = "imagenet:"
"""What an address of weights that ``keras.applications`` publishes begins with."""

_MODEL_SUFFIXES = (".keras", ".h5", ".hdf5")
_RESULTS_SUFFIXES = (".json", ".csv")
_WEIGHTS_SUFFIXES = (".h5", ".hdf5", ".safetensors")
_PAIRS_EXPECTED = "expected a file that lists pairs of images, such as LFW's pairs.txt"
_RUNNER_NAME = "benchmark_model"
_RUNNER_EXPECTED = "expected the benchmark_model of a device, one file"
_RESULTS_EXPECTED = "expected a .json or .csv file of measurements"
_ALWAYS = ("name", "size_bytes", "sha256")
_ANSWERS_EXPECTED = "expected an .npz file with paths and outputs"
_MODULE_EXPECTED = "expected a .py file"
_WEIGHTS_EXPECTED = f"expected a file {', '.join(_WEIGHTS_SUFFIXES)}"
_MODEL_EXPECTED = f"expected a file {', '.join(_MODEL_SUFFIXES)} or the folder of a SavedModel"


@dataclass(frozen=True)
class Snapshot:
    """The user's files as they were when they were listed.

    Attributes:
        uri: What the user wrote; not part of the digest.
        format: How the files are to be read.
        files: All files, in name order.
        place: Where they are to be had.
        index: Name of the list of images among them, for the format ``list``.
        excluded: What must not be used of them: see ``components.contract.source.Source``.
    """

    uri: str
    format: Format
    files: tuple[SourceFile, ...]
    place: Files = field(compare=False, repr=False)
    index: str = ""
    excluded: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """The sha256 over format, names, sizes and contents: neither places nor times count."""
        return source_digest(self.format, self.files, self.index, self.excluded)

    @property
    def size_bytes(self) -> int:
        """Total length of all files."""
        return sum(file.size_bytes for file in self.files)


def snapshot(
    data: str, cache: ChecksumCache | None = None, folders: frozenset[str] | None = None
) -> Snapshot:
    """List and hash the user's data.

    Args:
        data: A folder or a file, ``gs://bucket/name`` for the same in a bucket, or
            ``package:NAME/path`` for what an installed package holds.
        cache: Remembers checksums of what has not changed since.
        folders: Only what lies in these folders of images themselves; None is all. What lies in
            others is not read.

    Raises:
        UserError: Nothing there, nothing in it, not readable, or not ordered as data is.
    """
    place, form, index = _located(data, cache)
    if folders is not None:
        _check_folders(data, form)
        place = place.within(folders)
    files = place.hashed(cache)
    if form == "folder":  # where each is a label, or holds some
        files = tuple(sorted([*files, *map(_empty_folder, place.empty_folders)]))
    return Snapshot(data, form, files, place, index)


def _empty_folder(name: str) -> SourceFile:
    return SourceFile(f"{name}/", 0, "", fault=f"{EMPTY_FOLDER}: holds no file that is data")


def listed_files(data: str) -> Files:
    """List the user's data without reading its images.

    Args:
        data: See ``snapshot``.

    Raises:
        UserError: Nothing there, nothing in it, or not ordered as data is.
    """
    return _located(data, None)[0]


def listed_folders(data: str) -> Files:
    """List data that is folders of images, without reading any.

    Args:
        data: See ``snapshot``.

    Raises:
        UserError: See ``listed_files``; or it is of another form.
    """
    place, form, _ = _located(data, None)
    _check_folders(data, form)
    return place


def _check_folders(data: str, form: Format) -> None:
    if form != "folder":
        raise UserError(
            f"{data} is no folder with one sub-folder per identity or class, so no folder of it is "
            "whole by itself",
            "watch it with --settle all",
        )


def _located(data: str, cache: ChecksumCache | None) -> tuple[Files, Format, str]:
    """List the user's data; with how it is to be read, and the list of images among it if any."""
    place = _files(data, EXPECTED)
    check_form(data, place.names)
    if place.single:
        form = file_format(data, place.names[0])
        lists = place if form == "csv" else None
    else:
        index = lone_list(place.names)
        lists = _files(f"{data.rstrip('/')}/{index}", EXPECTED) if index else None
        form = None
    if lists and (listed := _listed(lists, cache)):
        return listed[0], "list", listed[1]
    return place, form or folder_format(data, place.names), ""


def _listed(place: Files, cache: ChecksumCache | None) -> tuple[Files, str] | None:
    """Return the files that a csv file lists and its name among them, or None if it lists none."""
    (name,) = place.names
    with tempfile.TemporaryDirectory(prefix="slimline-") as temporary:
        folder = Path(temporary, "files")
        place.link_into(place.hashed(cache), folder)
        if not is_list(folder / name, name):
            return None
        paths = [row.path for row in listed_images(folder / name, name)]
    listed, index = place.with_listed(paths)
    if len(listed.names) < 2:
        if not paths:
            raise UserError(f"{name} has titles and no rows", "add a row for each image")
        raise UserError(
            f"{name} lists {len(paths)} images, such as {paths[0]!r}, and none of them is there",
            f"write the paths relative to the folder of {name}, with the ending of each file, and "
            "put the images below it",
        )
    return listed, index


def snapshot_model(model: str, cache: ChecksumCache | None = None) -> Snapshot:
    """List and hash a model that the user made elsewhere.

    Args:
        model: A ``.keras`` or ``.h5`` file, or the folder of a SavedModel, at any place that
            ``snapshot`` takes.
        cache: Remembers checksums of what has not changed since.

    Raises:
        UserError: Nothing there, not readable, or not one of these.
    """
    place = _files(model, _MODEL_EXPECTED)
    if place.single or "saved_model.pb" not in place.names:
        check_model_form(model, place.names)
    if not place.single and "saved_model.pb" not in place.names:
        raise UserError(f"{model} has no saved_model.pb; {_MODEL_EXPECTED}", "correct the path")
    if place.single and PurePosixPath(place.names[0]).suffix.lower() not in _MODEL_SUFFIXES:
        raise UserError(f"{model} is no model; {_MODEL_EXPECTED}", "correct the path")
    return _whole(model, "a model", place, cache)


def snapshot_weights(weights: str, cache: ChecksumCache | None = None) -> Snapshot:
    """List and hash weights that a training begins from.

    Args:
        weights: A ``.h5`` or ``.safetensors`` file, at any place that ``snapshot`` takes.
        cache: Remembers checksums of what has not changed since.

    Raises:
        UserError: Nothing there, not readable, or not one of these.
    """
    place = _files(weights, _WEIGHTS_EXPECTED)
    if not place.single or PurePosixPath(place.names[0]).suffix.lower() not in _WEIGHTS_SUFFIXES:
        raise UserError(
            f"teacher.weights: {weights} holds no weights; {_WEIGHTS_EXPECTED}", "correct the path"
        )
    return _whole(weights, "weights", place, cache)


def _whole(uri: str, called: str, place: Files, cache: ChecksumCache | None) -> Snapshot:
    """List and hash a model or weights, of which no file may be missing."""
    files = place.hashed(cache)
    faults = [f"\n  {file.name} ({file.fault})" for file in files if file.fault]
    if faults:
        raise UserError(
            f"{uri}: {called} with {len(faults)} files that cannot be read{''.join(faults)}",
            "put regular files in their place, or save the model again",
        )
    return Snapshot(uri, "model", files, place)


def snapshot_answers(outputs: str, cache: ChecksumCache | None = None) -> Snapshot:
    """List and hash the answers of a teacher that ran elsewhere.

    Args:
        outputs: An ``.npz`` file, at any place that ``snapshot`` takes.
        cache: Remembers checksums of what has not changed since.

    Raises:
        UserError: Nothing there, not readable, or another kind of file.
    """
    place = _files(outputs, _ANSWERS_EXPECTED)
    if not place.single or PurePosixPath(place.names[0]).suffix.lower() != ".npz":
        raise UserError(
            f"teacher.outputs: {outputs} are no answers; {_ANSWERS_EXPECTED}",
            "np.savez('answers.npz', paths=paths, outputs=outputs)",
        )
    return Snapshot(outputs, "answers", place.hashed(cache), place)


def snapshot_modules(places: Sequence[str], cache: ChecksumCache | None = None) -> Snapshot:
    """List and hash Python files of the user's own.

    Args:
        places: Each a ``.py`` file, at any place that ``snapshot`` takes.
        cache: Remembers checksums of what has not changed since.

    Raises:
        UserError: Nothing there, not readable, no Python file, or two of one name.
    """
    files = [_files(place, _MODULE_EXPECTED) for place in places]
    for place, listed in zip(places, files, strict=True):
        path = PurePosixPath(listed.names[0])
        if not listed.single or path.suffix != ".py" or not path.stem.isidentifier():
            raise UserError(
                f"teacher.modules: {place} is no Python module; {_MODULE_EXPECTED}",
                f"list the .py files in it: modules: [{place}/layers.py]"
                if not listed.single
                else "give the .py file that defines the layers, under a name that Python can "
                "import",
            )
    together = TogetherFiles(tuple(places), tuple(files))
    return Snapshot(", ".join(places), "modules", together.hashed(cache), together)


def stage(taken: Snapshot, folder: Path) -> tuple[Path, ...]:
    """Write a source as components read it: ``source.json``, and ``files`` that leads to the data.

    Args:
        taken: What to stage.
        folder: Made here.

    Returns:
        The paths outside of ``folder`` that links in it lead to.

    Raises:
        UserError: A file in a bucket changed since it was listed, or cannot be downloaded.
    """
    folder.mkdir(parents=True)
    elsewhere = taken.place.link_into(taken.files, folder / "files")
    listing: dict[str, object] = {
        "uri": taken.uri,
        "format": taken.format,
        "files": [
            {name: value for name, value in asdict(file).items() if value or name in _ALWAYS}
            for file in taken.files
        ],
    }
    if taken.index:
        listing |= {"index": taken.index, "root": taken.place.base}
    if taken.excluded:
        listing["excluded"] = list(taken.excluded)
    (folder / "source.json").write_bytes(canonical_json(listing))
    return elsewhere


def without(taken: Snapshot, excluded: tuple[str, ...]) -> Snapshot:
    """Return a snapshot of the user's data that obeys exclusions.

    Files of one image whose sha256 is among them are not listed; of what the others show ``ingest``
    leaves out the rest. A list of images, or a file of many, is never one of them.

    Args:
        taken: What was listed.
        excluded: sha256 sums of files, of pixels and of identities, sorted.
    """
    if not excluded:
        return taken
    gone = frozenset(excluded if taken.format in ("folder", "list") else ())
    files = tuple(
        file for file in taken.files if file.sha256 not in gone or file.name == taken.index
    )
    return replace(taken, files=files, excluded=excluded)


def snapshots(
    places: Mapping[str, str | tuple[str, ...]], folders: frozenset[str] | None = None
) -> dict[str, Snapshot]:
    """List and hash the user's files that a graph starts from.

    Args:
        places: Where each source is, by its name.
        folders: Of the data, see ``snapshot``.

    Raises:
        UserError: They are missing, empty or cannot be read.
    """
    with ChecksumCache(cache_folder() / "checksums.sqlite") as cache:
        return {
            name: snapshot(place, cache, folders)
            if name == DATA and isinstance(place, str)
            else snapshot_of(name, place, cache)
            for name, place in places.items()
        }


def snapshot_of(
    name: str, place: str | tuple[str, ...], cache: ChecksumCache | None = None
) -> Snapshot:
    """List and hash one of the user's sources.

    Args:
        name: Of the source, such as ``data``.
        place: Where it is.
        cache: See ``snapshot``; None hashes every byte anew.

    Raises:
        UserError: See ``snapshots``.
    """
    if isinstance(place, tuple):
        return snapshot_modules(place, cache)
    for prefix, listed in ((RESULTS, snapshot_results), (RUNNER, snapshot_runner)):
        if name.startswith(prefix):
            return listed(place, cache)
    if name == ANSWERS:
        return snapshot_answers(place, cache)
    if name == PAIRS:
        return snapshot_pairs(place, cache)
    if name == WEIGHTS:
        return snapshot_weights(place, cache)
    return snapshot(place, cache) if name == DATA else snapshot_model(place, cache)


def snapshot_pairs(pairs: str, cache: ChecksumCache | None = None) -> Snapshot:
    """List and hash a file that lists pairs of images.

    Args:
        pairs: The file; a path of this machine or ``gs://bucket/name``.
        cache: See ``snapshot``.

    Raises:
        UserError: It is not there, cannot be read, or is a folder.
    """
    place = _files(pairs, _PAIRS_EXPECTED)
    if not place.single:
        lists = [name for name in place.names if name.lower().endswith((".txt", ".csv"))]
        raise UserError(
            f"{pairs} is a folder; {_PAIRS_EXPECTED}",
            f"give the file: pairs: {pairs.rstrip('/')}/{lists[0]}"
            if len(lists) == 1
            else "give the file that lists the pairs",
        )
    files = place.hashed(cache)
    if files[0].fault:
        raise UserError(f"{pairs} cannot be read: {files[0].fault}", "put a regular file there")
    return Snapshot(pairs, "pairs", files, place)


def snapshot_results(place: str, cache: ChecksumCache | None = None) -> Snapshot:
    """List and hash a file of measurements that were made elsewhere.

    Args:
        place: A ``.json`` or ``.csv`` file, at any place that ``snapshot`` takes.
        cache: See ``snapshot``.

    Raises:
        UserError: It is not there, cannot be read, is a folder, or another kind of file.
    """
    listed = _files(place, _RESULTS_EXPECTED)
    if not listed.single or PurePosixPath(listed.names[0]).suffix.lower() not in _RESULTS_SUFFIXES:
        found = [name for name in listed.names if name.lower().endswith(_RESULTS_SUFFIXES)]
        raise UserError(
            f"devices: {place} holds no measurements; {_RESULTS_EXPECTED}",
            f"give the file: file: {place.rstrip('/')}/{found[0]}"
            if len(found) == 1 and not listed.single
            else "give the file that lists the measurements",
        )
    files = listed.hashed(cache)
    if files[0].fault:
        raise UserError(f"{place} cannot be read: {files[0].fault}", "put a regular file there")
    return Snapshot(place, "results", files, listed)


def snapshot_runner(place: str, cache: ChecksumCache | None = None) -> Snapshot:
    """List and hash a program that measures on a device.

    Args:
        place: A file, at any place that ``snapshot`` takes.
        cache: See ``snapshot``.

    Raises:
        UserError: It is not there, cannot be read, is a folder, or empty.
    """
    listed = _files(place, _RUNNER_EXPECTED)
    if not listed.single:
        found = [name for name in listed.names if PurePosixPath(name).name == _RUNNER_NAME]
        raise UserError(
            f"devices: runner: {place} is a folder; {_RUNNER_EXPECTED}",
            f"give the file: runner: {place.rstrip('/')}/{found[0]}"
            if len(found) == 1
            else "give the program itself",
        )
    files = listed.hashed(cache)
    if files[0].fault or not files[0].size_bytes:
        why = files[0].fault or "it is empty"
        raise UserError(f"devices: runner: {place} cannot be read: {why}", "put a program there")
    return Snapshot(place, "runner", files, listed)


def _files(uri: str, expected: str) -> Files:
    """List what the user means; each kind of place has a module of its own."""
    check_name(uri)
    if uri.startswith(PUBLISHED):
        from pipelines.sources.published import downloaded

        return local_files(str(downloaded(uri.removeprefix(PUBLISHED))), expected)
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", uri)
    if scheme is None:
        return local_files(uri, expected)
    if scheme[1] in SCHEMES:
        from pipelines.sources.bucket import bucket_files

        return bucket_files(uri, expected)
    raise UserError(
        f"{uri}: data at {scheme[0]} cannot be read; supported are paths of this machine, "
        f"{', '.join(f'{one}://bucket/name' for one in SCHEMES)} and {PACKAGE}NAME/path",
        "copy the data to a folder or a bucket and give its place",
    )
