"""Answers of a teacher that ran elsewhere: one row for each image file, kept by path.

Shapes: n answers, d numbers of each, r images of a split.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.artifacts.dataset import Dataset
from components.artifacts.model import ModelInfo
from components.contract.errors import UserError
from components.contract.source import Source

FOLDER = "answers"
"""Where a Model that is only answers keeps them: ``answers/SPLIT.npy``, float32, r x d."""

_WRITE = (
    "write it with np.savez('answers.npz', paths=paths, outputs=outputs): paths of n texts, "
    "relative to the data, outputs of n x d numbers, and classes of d names where they are scores"
)
_MOST_BYTES = 4 << 30
_EXAMPLES = 5


@dataclass(frozen=True, eq=False)
class GivenAnswers:
    """What a file of answers holds.

    Attributes:
        name: Of the file.
        sha256: Of its bytes.
        rows: By path of an image the row of its answer.
        outputs_nd: float32.
        classes: Names of the columns; empty where the file does not say. One number may answer for
            two classes: it is the probability of the one that is named, or of the second.
    """

    name: str
    sha256: str
    rows: Mapping[str, int]
    outputs_nd: NDArray[np.float32]
    classes: tuple[str, ...]

    @classmethod
    def read(cls, source: Path) -> GivenAnswers:
        """Read the file of a staged Source.

        Raises:
            UserError: It is damaged, too large, or not laid out as said.
        """
        opened = Source.open(source)
        (file,) = opened.files
        arrays = _arrays(opened.verified(file), file.name)
        paths, outputs = arrays["paths"], arrays["outputs"]
        fits = paths.dtype.kind == "U" and paths.ndim == 1 and outputs.ndim == 2
        if not fits or len(paths) != len(outputs) or outputs.dtype.kind not in "fiu":
            raise UserError(
                f"{file.name} holds paths of {_told(paths)} and outputs of {_told(outputs)}", _WRITE
            )
        names = [str(path).removeprefix("./") for path in paths]
        rows = {name: row for row, name in enumerate(names)}
        if len(rows) != len(names):
            twice = next(name for row, name in enumerate(names) if rows[name] != row)
            raise UserError(
                f"{file.name} answers {twice!r} more than once", "give one answer for each path"
            )
        outputs_nd = outputs.astype(np.float32)
        wrong = [name for name, row in rows.items() if not np.isfinite(outputs_nd[row]).all()]
        if wrong:
            raise UserError(
                f"{file.name}: {len(wrong)} answers are not finite: {_some(wrong)}",
                "leave these images out of the data, or answer them with finite numbers",
            )
        classes = tuple(str(one) for one in arrays.get("classes", np.array([], "U1")))
        if classes and len(classes) != outputs_nd.shape[1]:
            raise UserError(
                f"{file.name} names {len(classes)} classes for {outputs_nd.shape[1]} numbers",
                "name as many classes as an answer has numbers",
            )
        return cls(file.name, file.sha256, rows, outputs_nd, classes)

    def of(self, data: Dataset, split: str) -> NDArray[np.float32]:
        """Return the answers to the images of a split, in its order: float32, r x d.

        Scores come in the order of the dataset's classes, also where one number tells two apart.
        """
        names, classes = paths_of(data)[split], data.info.classes
        outputs_rd = self.outputs_nd[[self.rows[name] for name in names]]
        if data.info.task == "classification" and self._binary(classes):
            both_r2 = np.hstack([1 - outputs_rd, outputs_rd])
            return both_r2[:, ::-1] if self.classes == classes[:1] else both_r2
        if data.info.task == "classification" and self.classes:
            place = {name: column for column, name in enumerate(self.classes)}
            outputs_rd = outputs_rd[:, [place[name] for name in classes]]
        return outputs_rd

    def _binary(self, classes: tuple[str, ...]) -> bool:
        """Whether the one number of an answer tells the two classes of the data apart."""
        return self.outputs_nd.shape[1] == 1 and len(classes) == 2

    def check(self, data: Dataset) -> None:
        """Ask that every image that is used has an answer, and every class a column.

        Args:
            data: The open dataset, whose manifest names the sealed images, too.

        Raises:
            UserError: Some have none.
        """
        names = [name for split in paths_of(data).values() for name in split]
        missing = [name for name in names if name not in self.rows]
        if missing:
            first = next(iter(self.rows), "nothing")
            raise UserError(
                f"{self.name} has no answer for {len(missing)} of {len(names)} images: "
                f"{_some(missing)}; it has answers for paths such as {first!r}",
                "add their answers, with paths relative to the folder of data; or leave these "
                "images out of the data",
            )
        classes, size = data.info.classes, self.outputs_nd.shape[1]
        if data.info.task != "classification":
            return
        binary, named = self._binary(classes), set(self.classes)
        odd = named - set(classes) if binary else named ^ set(classes)
        if named and odd:
            raise UserError(
                f"the classes of {self.name} and of the data differ: {_some(sorted(odd))}",
                "give classes the names that the data has",
            )
        if binary:
            self._check_probabilities(classes)
        elif size != len(classes):
            raise UserError(
                f"{self.name} answers with {size} scores and the data has {len(classes)} classes "
                f"({_some(list(classes))})",
                "answer with one score a class, in the order of their names or with classes",
            )

    def check_imported(self, report: Path) -> None:
        """Ask that these answers are those that were checked.

        Args:
            report: Of ``import_answers``.

        Raises:
            UserError: They are others.
        """
        checked = json.loads((report / "import.json").read_bytes())["imported"]["sha256"]
        if checked != self.sha256:
            raise UserError(
                f"{self.name} is not the file of answers that was imported",
                "run import_answers on it first",
            )

    def _check_probabilities(self, classes: tuple[str, ...]) -> None:
        wrong = [name for name, row in self.rows.items() if not 0 <= self.outputs_nd[row, 0] <= 1]
        if wrong:
            raise UserError(
                f"{self.name} answers with one number, which for {len(wrong)} images is no "
                f"probability of {(self.classes or classes)[-1]!r}: {_some(wrong)}",
                "where they are logits, write outputs = 1 / (1 + np.exp(-outputs)); or answer with "
                "one score a class",
            )


def paths_of(data: Dataset) -> dict[str, list[str]]:
    """Return the paths of the images of every split, those of open splits in their order.

    Raises:
        UserError: Images came in files of many, which have no path each.
    """
    found: dict[str, dict[int, str]] = {}
    for line in data.manifest():
        if line.get("records"):
            raise UserError(
                f"answers belong to paths, and the images of {line['name']} have none of their own",
                "give the images as files: a folder with one sub-folder per class or identity",
            )
        if line.get("split"):
            split = found.setdefault(str(line["split"]), {})
            split[len(split) if line["index"] is None else int(line["index"])] = str(line["name"])
    return {split: [rows[row] for row in sorted(rows)] for split, rows in found.items()}


def write(path: Path, info: ModelInfo, outputs: Mapping[str, NDArray[np.float32]]) -> None:
    """Write a Model that is only answers.

    Args:
        path: Folder to make.
        info: Not trainable.
        outputs: By split.
    """
    (path / FOLDER).mkdir(parents=True)
    for split, outputs_rd in outputs.items():
        np.save(path / FOLDER / f"{split}.npy", outputs_rd)
    info.write(path)


def stored(path: Path, split: str) -> NDArray[np.float32] | None:
    """Return the answers to a split of a Model that is only answers; None of any other Model."""
    if not (path / FOLDER).is_dir():
        return None
    return np.load(path / FOLDER / f"{split}.npy", allow_pickle=False)


def _arrays(path: Path, name: str) -> dict[str, NDArray[Any]]:
    try:
        with zipfile.ZipFile(path) as archive:
            total = sum(item.file_size for item in archive.infolist())
        if total > _MOST_BYTES:
            raise UserError(
                f"{name} unpacks to {total:,} bytes; at most {_MOST_BYTES:,} are read",
                "write outputs as float16, or as fewer numbers an image",
            )
        with np.load(path, allow_pickle=False) as archive:
            lacking = [key for key in ("paths", "outputs") if key not in archive.files]
            if lacking:
                held = ", ".join(archive.files) or "nothing"
                raise UserError(f"{name} holds {held} and no {' and no '.join(lacking)}", _WRITE)
            given = [key for key in ("paths", "outputs", "classes") if key in archive]
            return {key: _array(archive, key, name) for key in given}
    except (zipfile.BadZipFile, zlib.error, ValueError, OSError, EOFError) as error:
        raise UserError(f"{name} cannot be read as arrays of numpy: {error}", _WRITE) from error


def _array(archive: Mapping[str, NDArray[Any]], key: str, name: str) -> NDArray[Any]:
    try:
        return archive[key]
    except ValueError as error:
        if "Object arrays" not in str(error):
            raise
        raise UserError(
            f"{name}: {key} holds Python objects, as a column of pandas does, which are not read",
            "save np.array(list(outputs), dtype=float) in its place"
            if key == "outputs"
            else f"save np.array({key}, dtype=str) in its place",
        ) from None


def _told(array: NDArray[Any]) -> str:
    return f"{' x '.join(map(str, array.shape)) or 'one'} {array.dtype}"


def _some(names: list[str]) -> str:
    more = ", ..." if len(names) > _EXAMPLES else ""
    return ", ".join(map(str, names[:_EXAMPLES])) + more
