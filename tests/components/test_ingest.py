"""Ingest: real faces, clothes and digits, and every kind of bad file, become sound datasets."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import textwrap
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from components.artifacts.dataset import OPEN_SPLITS, Dataset
from components.artifacts.manifest import EXCLUDED, read_manifest
from components.contract.errors import UserError
from components.contract.interface import interface_of
from components.contract.progress import ProgressReader, parsed, telling
from components.contract.tree import tree_of
from components.data.exclusions import identity_digest
from components.data.images import decode_image, pixel_digest
from pipelines.sources.snapshot import snapshot, stage, without
from tests.components.flat import ingest
from tests.data import images as files

DIGITS = "package:sklearn/datasets/data/digits.csv.gz"


@dataclass(frozen=True)
class Outcome:
    """What ingest made."""

    path: Path

    @property
    def open(self) -> Dataset:
        return Dataset.open(self.path / "dataset")

    @property
    def sealed(self) -> Dataset:
        return Dataset.open(self.path / "sealed")

    @property
    def report(self) -> dict[str, Any]:
        return json.loads((self.path / "report" / "ingest.json").read_text())

    @property
    def near_duplicates(self) -> list[str]:
        return (self.path / "report" / "near_duplicates.jsonl").read_text().splitlines()

    @property
    def digests(self) -> list[str]:
        return [tree_of(self.path / name).digest for name in ("dataset", "sealed", "report")]

    def splits(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        found = {split: (self.open.images(split), self.open.labels(split)) for split in OPEN_SPLITS}
        return found | {"sealed": (self.sealed.images("sealed"), self.sealed.labels("sealed"))}


def _ingest(data: Path | str, path: Path, **parameters: Any) -> Outcome:
    path.mkdir(parents=True, exist_ok=True)
    stage(snapshot(str(data)), path / "source")
    settings = {"task": "verification", "height": 12, "width": 10, "channels": 1} | parameters
    ingest(path / "source", path / "dataset", path / "sealed", path / "report", **settings)
    return Outcome(path)


def _no_image_twice(outcome: Outcome) -> None:
    digests = [
        hashlib.sha256(image.tobytes()).hexdigest()
        for images, _ in outcome.splits().values()
        for image in images
    ]
    assert len(set(digests)) == len(digests)


# real data --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def faces(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("faces")
    return _ingest(shared / "data" / "orl", folder, height=112, width=92)


def test_faces_are_split_by_people(faces: Outcome, shared: Path) -> None:
    info = faces.open.info
    assert (info.task, info.split_by, info.resample) == ("verification", "identity", "identity")
    assert info.shape == (112, 92, 1)
    assert len(info.classes) == 40
    assert info.description == "6 identities never trained on"
    people = {split: set(labels.tolist()) for split, (_, labels) in faces.splits().items()}
    assert {split: len(who) for split, who in people.items()} == {
        "train": 22, "validation": 6, "selection": 6, "sealed": 6,
    }  # fmt: skip
    assert len(set().union(*people.values())) == 40
    assert faces.report["used"] == 400
    for line in faces.open.manifest()[:5]:
        data = (shared / "data" / "orl" / line["name"]).read_bytes()
        assert line["sha256"] == hashlib.sha256(data).hexdigest()
        assert line["size_bytes"] == len(data)
        assert line["label"] == line["name"].partition("/")[0]
        assert line["pixels"] == pixel_digest(decode_image(data, channels=1).pixels)


def test_every_row_is_the_file_that_the_manifest_says(faces: Outcome, shared: Path) -> None:
    for dataset in (faces.open, faces.sealed):
        for line in dataset.manifest()[::7]:
            if line["index"] is None:
                assert line["split"] == "sealed"
                continue
            data = (shared / "data" / "orl" / line["name"]).read_bytes()
            row = dataset.images(line["split"])[line["index"]]
            assert np.array_equal(row, decode_image(data, channels=1).pixels)
            label = dataset.labels(line["split"])[line["index"]]
            assert dataset.info.classes[label] == line["name"].partition("/")[0]


def test_the_sealed_images_are_nowhere_else(faces: Outcome) -> None:
    _no_image_twice(faces)
    assert dict(faces.sealed.info.splits) == {"sealed": 60}
    assert {line["split"] for line in faces.sealed.manifest()} == {"sealed"}
    hidden = [line for line in faces.open.manifest() if line["split"] == "sealed"]
    assert len(hidden) == 60
    assert {line["index"] for line in hidden} == {None}
    assert not (faces.open.path / "sealed").exists()
    with pytest.raises(UserError, match="no split 'sealed'"):
        faces.open.images("sealed")


def test_digits_are_split_by_image(tmp_path: Path) -> None:
    reader = ProgressReader(tmp_path / "progress")
    with telling(tmp_path / "progress"):
        outcome = _ingest(
            DIGITS, tmp_path, height=8, width=8, maximum=16, split_by="image", label_column="last"
        )
    lines = [parsed(line) for line in (tmp_path / "progress").read_bytes().splitlines()]
    assert reader.look()
    assert lines[0]
    assert lines[0].images == 1
    assert [line.phase for line in lines if line and line.phase] == [
        "dividing the images",
        "writing the splits",
    ]
    info = outcome.open.info
    assert info.description == "unseen images of all 10 classes"
    assert info.resample == "image"
    assert info.classes == tuple("0123456789")
    assert dict(info.splits) == {"train": 987, "validation": 270, "selection": 270}
    images, labels = outcome.open.images("train"), outcome.open.labels("train")
    assert (images.min(), images.max()) == (0, 255)
    assert sorted(Counter(labels.tolist())) == list(range(10))
    for _, labels in outcome.splits().values():
        counts = Counter(labels.tolist()).values()
        assert max(counts) - min(counts) <= 0.1 * sum(counts)
    _no_image_twice(outcome)
    (line,) = outcome.open.manifest()
    assert line["records"] == {
        "used": 1797,
        "splits": {"train": 987, "validation": 270, "selection": 270, "sealed": 270},
        "first": 0,
        "count": 1797,
    }
    fates = list(read_manifest(outcome.open.path))
    assert [fate.name for fate in fates] == [f"digits.csv.gz#{n}" for n in range(1797)]
    assert len({fate.pixels for fate in fates}) == 1797
    for fate in fates[::50]:
        assert (fate.sha256, fate.size_bytes) == (line["sha256"], line["size_bytes"])
        if fate.split == "sealed":
            assert fate.index is None
            continue
        assert (fate.split, fate.index) != (None, None)
        row = outcome.open.images(fate.split or "")[fate.index]
        assert pixel_digest(row) == fate.pixels  # these images have the size of the model
        place = outcome.open.labels(fate.split or "")[fate.index]
        assert info.classes[place] == fate.label


def test_digits_with_the_wrong_maximum_are_not_trained_on_in_the_dark(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="brightest pixel is 16 of 255") as caught:
        _ingest(DIGITS, tmp_path, height=8, width=8, split_by="image", label_column="last")
    assert "image: {maximum: 16}" in caught.value.fix
    assert not (tmp_path / "dataset").exists()


def test_clothes_are_pooled_and_drawn_evenly(shared: Path, tmp_path: Path) -> None:
    outcome = _ingest(
        shared / "data" / "fashion_mnist",
        tmp_path,
        task="classification",
        split_by="image",
        height=28,
        width=28,
        subset=2000,
        evaluation_images=300,
    )
    sizes = {split: len(labels) for split, (_, labels) in outcome.splits().items()}
    assert sizes == {"train": 1100, "validation": 300, "selection": 300, "sealed": 300}
    for split, each in (("train", 110), ("sealed", 30)):
        assert set(Counter(outcome.splits()[split][1].tolist()).values()) == {each}
    report = outcome.report
    assert (report["pictures"], report["used"], report["unused"]) == (70000, 2000, 68000)
    lines = {line["name"]: line for line in outcome.open.manifest()}
    for official in ("train", "t10k"):
        counts = lines[f"{official}-images-idx3-ubyte.gz"]["records"]
        assert counts["splits"].keys() == {"train", "validation", "selection", "sealed"}
        assert lines[f"{official}-labels-idx1-ubyte.gz"]["status"] == "used"
    assert lines["LICENSE"]["status"] == "unused"
    _no_image_twice(outcome)


# bad files --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def messy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight sound people, and among them every kind of bad file, duplicates and a conflict."""
    root = tmp_path_factory.mktemp("messy") / "people"
    files.folder(root, {f"p{number}": 4 for number in range(8)} | {"single": 1})
    for name, (data, _) in files.bad().items():
        (root / "p0" / name).write_bytes(data)
    (root / "readme.txt").write_text("beside the people")
    (root / "p1" / "session").mkdir()
    (root / "p1" / "session" / "1.png").write_bytes(files.png(1))
    shutil.copy(root / "p2" / "0.png", root / "p2" / "copy.png")
    again = files.encoded(files.random_image(1000 + 4 * 3), "BMP")  # p3/0.png once more
    (root / "p3" / "other-file-same-image.jpg").write_bytes(again)
    shutil.copy(root / "p4" / "0.png", root / "p5" / "not-mine.png")
    return root


@pytest.fixture(scope="module")
def cleaned(messy: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return _ingest(messy, tmp_path_factory.mktemp("cleaned"))


def test_every_bad_file_is_quarantined_by_name_and_reason(cleaned: Outcome) -> None:
    lines = {line["name"]: line for line in cleaned.open.manifest()}
    for name, (data, kind) in files.bad().items():
        line = lines[f"p0/{name}"]
        assert line["status"] == "quarantined"
        assert line["reason"].startswith(f"{kind}: ")
        assert line["sha256"] == hashlib.sha256(data).hexdigest()
    assert lines["readme.txt"]["reason"].startswith("layout: lies beside")
    assert lines["p1/session/1.png"]["reason"].startswith("layout: lies deeper")
    assert lines["single/0.png"]["reason"].startswith("few-images: 'single' has 1 usable")
    assert lines["p4/0.png"]["reason"].startswith("conflict: shows the same as p5/not-mine.png")
    assert lines["p5/not-mine.png"]["reason"].startswith("conflict: shows the same as p4/0.png")


def test_duplicates_are_told_by_what_they_show(cleaned: Outcome) -> None:
    lines = {line["name"]: line for line in cleaned.open.manifest()}
    for copy, kept in (("p2/copy.png", "p2/0.png"), ("p3/other-file-same-image.jpg", "p3/0.png")):
        assert lines[copy]["status"] == "duplicate"
        assert lines[copy]["duplicate_of"] == kept
        assert lines[kept]["status"] == "used"
    _no_image_twice(cleaned)


def test_every_file_has_one_fate_and_the_report_counts_it(cleaned: Outcome, messy: Path) -> None:
    names = sorted(path.relative_to(messy).as_posix() for path in messy.rglob("*.*"))
    lines = cleaned.open.manifest()
    assert [line["name"] for line in lines] == names
    report = cleaned.report
    status = Counter(line["status"] for line in lines)
    assert status["used"] == report["used"] == 4 * 8 - 1
    assert status["quarantined"] == report["quarantined"]
    left_out = (cleaned.path / "report" / "left_out.jsonl").read_text().splitlines()
    assert {json.loads(line)["name"] for line in left_out} == {
        line["name"] for line in lines if line["status"] != "used"
    }
    assert status["duplicate"] == report["duplicates"] == 2
    assert sum(report["quarantined_by_reason"].values()) == report["quarantined"]
    kinds = Counter(kind for _, kind in files.bad().values())
    expected = kinds | {"conflict": 2, "few-images": 1, "layout": 2}
    assert report["quarantined_by_reason"] == expected
    assert sum(split["images"] for split in report["splits"].values()) == report["used"]
    assert report["classes"]["p2"] == {"duplicate": 1} | {
        split: 4 for split in report["splits"] if "p2" in _people_of(cleaned, split)
    }


def _people_of(outcome: Outcome, split: str) -> set[str]:
    labels = outcome.splits()[split][1]
    return {outcome.open.info.classes[label] for label in labels}


def test_too_little_left_names_the_reasons_and_writes_nothing(tmp_path: Path) -> None:
    root = files.folder(tmp_path / "data", {"a": 3, "b": 0})
    (root / "b" / "page.jpg").write_bytes(files.bad()["html.jpg"][0])
    with pytest.raises(UserError, match="one, 'a', can be used") as caught:
        _ingest(root, tmp_path / "out", task="classification", split_by="image")
    assert "1 not-an-image: b/page.jpg (not-an-image: looks like HTML or XML)" in caught.value.what
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["source"]


def test_a_file_that_changes_ends_the_run(tmp_path: Path) -> None:
    root = files.folder(tmp_path / "data", {f"p{number}": 3 for number in range(8)})
    stage(snapshot(str(root)), tmp_path / "source")
    (root / "p3" / "1.png").write_bytes(files.png(5))
    with pytest.raises(UserError, match=r"p3/1\.png changed while it was read"):
        ingest(
            tmp_path / "source", tmp_path / "d", tmp_path / "s", tmp_path / "r",
            task="verification", height=8, width=8,
        )  # fmt: skip


def test_bad_records_are_named_by_file_and_place(tmp_path: Path) -> None:
    images = np.stack([files.pixels(seed) for seed in range(40)]).astype(np.float32)
    images[3, 0, 0] = np.nan
    images[7] = images[5]
    labels = np.arange(40) % 2
    np.savez(tmp_path / "d.npz", images=images, labels=labels)
    outcome = _ingest(tmp_path / "d.npz", tmp_path / "out", task="classification", split_by="image")
    first, *others = outcome.open.manifest()
    assert first["name"] == "d.npz"
    assert {key: first["records"][key] for key in ("used", "quarantined", "duplicate")} == {
        "used": 38, "quarantined": 1, "duplicate": 1,
    }  # fmt: skip
    assert [(line["name"], line["status"], line["duplicate_of"]) for line in others] == [
        ("d.npz#3", "quarantined", None),
        ("d.npz#7", "duplicate", "d.npz#5"),
    ]
    fates = {fate.name: fate for fate in read_manifest(outcome.open.path)}
    assert len(fates) == 40
    bad, again, kept = (fates[f"d.npz#{n}"] for n in (3, 7, 5))
    assert (bad.status, bad.pixels, bad.split) == ("quarantined", None, None)
    assert bad.reason
    assert (again.status, again.duplicate_of) == ("duplicate", kept.name)
    assert again.pixels == kept.pixels
    assert {fate.label for fate in fates.values()} == {"0", "1"}
    assert not (outcome.sealed.path / "records").exists()


def _ingest_without(
    data: Path, path: Path, excluded: tuple[str, ...], **parameters: Any
) -> Outcome:
    path.mkdir(parents=True)
    stage(without(snapshot(str(data)), excluded), path / "source")
    settings = {"task": "classification", "split_by": "image", "height": 12, "width": 10}
    settings |= {"channels": 1} | parameters
    ingest(path / "source", path / "dataset", path / "sealed", path / "report", **settings)
    return Outcome(path)


@pytest.mark.parametrize("form", ["npz", "csv"])
def test_records_without_a_label_are_no_class_of_their_own(tmp_path: Path, form: str) -> None:
    labels = np.array(["", "bee", "cat"])[np.arange(60) % 3]
    pixels = np.random.default_rng(0).integers(0, 256, (60, 12, 10), dtype=np.uint8)
    data = tmp_path / f"d.{form}"
    if form == "npz":
        np.savez(data, images=pixels, labels=labels)
    else:
        rows = zip(pixels.reshape(60, -1).tolist(), labels, strict=True)
        lines = [",".join(map(str, [*row, label])) for row, label in rows]
        data.write_text("\n".join([",".join([*map(str, range(120)), "label"]), *lines]))
    outcome = _ingest(data, tmp_path / "out", task="classification", split_by="image")
    assert outcome.open.info.classes == ("bee", "cat")
    assert outcome.report["quarantined_by_reason"] == {"label": 20}


def test_a_column_of_splits_in_other_words_is_warned_of(tmp_path: Path) -> None:
    root = files.folder(tmp_path / "data", {"ant": 40, "bee": 40}, 6000)
    words = ("Training", "Training", "PublicTest", "PrivateTest")  # as in FER2013
    rows = [
        [str(path.relative_to(root)), path.parent.name, words[number % 4]]
        for number, path in enumerate(sorted(root.glob("*/*.png")))
    ]
    (root / "list.csv").write_text("\n".join(map(",".join, [["path", "label", "Usage"], *rows])))
    plan = {"task": "classification", "split_by": "image"}
    outcome = _ingest(root / "list.csv", tmp_path / "out", **plan)
    (warning,) = outcome.report["use"]["warnings"]
    assert "'Usage' of list.csv says privatetest, publictest, training and" in warning
    assert "Call it split, with the words train, val and test in it, to keep" in warning
    meant = dict(zip(words[1:], ("train", "val", "test"), strict=True))
    rows = [[path, label, meant[word]] for path, label, word in rows]
    (root / "list.csv").write_text("\n".join(map(",".join, [["path", "label", "split"], *rows])))
    fixed = _ingest(root / "list.csv", tmp_path / "fixed", **plan)
    assert fixed.sealed.info.description.endswith("(the data's own split: test)")


def test_a_column_of_splits_by_another_title_is_warned_of(tmp_path: Path) -> None:
    root = files.folder(tmp_path / "data", {"ant": 40, "bee": 40}, 6000)
    images = sorted(root.glob("*/*.png"))
    rows = [
        f"{path.relative_to(root)},{path.parent.name},{('Train', 'train', 'TEST', '')[n % 4]},train"
        for n, path in enumerate(images)
    ]
    (root / "list.csv").write_text("\n".join(["path,label,subset,note", *rows]))
    plan = {"task": "classification", "split_by": "image"}
    outcome = _ingest(root / "list.csv", tmp_path / "out", **plan)
    (warning,) = outcome.report["use"]["warnings"]
    assert warning.startswith("the column 'subset' of list.csv says test, train and is not called")
    said = warning.partition("Call it ")[2].partition(" ")[0]
    (root / "list.csv").write_text("\n".join([f"path,label,{said},note", *rows]))
    fixed = _ingest(root / "list.csv", tmp_path / "fixed", **plan)
    assert fixed.sealed.info.description.endswith("(the data's own split: test)")
    assert not any("subset" in warning for warning in fixed.report["use"]["warnings"])


def test_the_split_of_arrays_is_kept(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (90, 12, 10), dtype=np.uint8)
    labels = np.arange(90) % 3
    np.savez(
        tmp_path / "d.npz",
        x_train=pixels[:60], y_train=labels[:60], x_test=pixels[60:], y_test=labels[60:],
    )  # fmt: skip
    plan = {"task": "classification", "split_by": "image"}
    outcome = _ingest(tmp_path / "d.npz", tmp_path / "out", **plan)
    assert np.array_equal(outcome.splits()["sealed"][0][..., 0], pixels[60:])
    assert outcome.sealed.info.description.endswith("(the data's own split: test)")


def test_what_is_excluded_is_in_no_split(tmp_path: Path) -> None:
    data = tmp_path / "data"
    files.folder(data, {"Ann Lee": 8, "bee": 8, "cat": 8, "dog": 8})
    shown = decode_image((data / "bee" / "0.png").read_bytes(), channels=1).pixels
    copy = data / "bee" / "copy.bmp"  # the same once more, in a file of another sha256
    copy.write_bytes(files.encoded(Image.fromarray(shown[..., 0]), "BMP"))
    of_a_file = hashlib.sha256((data / "cat" / "0.png").read_bytes()).hexdigest()
    excluded = tuple(sorted([of_a_file, pixel_digest(shown), identity_digest(" ann lee")]))
    outcome = _ingest_without(data, tmp_path / "out", excluded)
    fates = {fate.name: fate for fate in read_manifest(outcome.open.path)}
    assert "cat/0.png" not in fates  # the host does not even list it
    gone = {name for name, fate in fates.items() if fate.reason == EXCLUDED}
    assert gone == {f"Ann Lee/{n}.png" for n in range(8)} | {"bee/0.png", "bee/copy.bmp"}
    assert {fates[name].status for name in gone} == {"quarantined"}
    assert outcome.open.info.classes == ("bee", "cat", "dog")
    assert outcome.report["quarantined_by_reason"] == {"excluded": 10}
    assert {(fates[name].label, fates[name].pixels) for name in gone} == {(None, None)}
    assert set(outcome.report["classes"]) == {"bee", "cat", "dog"}
    plain = _ingest_without(data, tmp_path / "plain", ())
    assert (
        plain.digests
        == _ingest(data, tmp_path / "same", task="classification", split_by="image").digests
    )  # nothing excluded leaves everything as it was


def test_records_are_excluded_by_what_they_show_and_whom(tmp_path: Path) -> None:
    images = np.stack([files.pixels(seed) for seed in range(60)])
    np.savez(tmp_path / "d.npz", images=images, labels=np.repeat([0, 1, 2], 20))
    whole = hashlib.sha256((tmp_path / "d.npz").read_bytes()).hexdigest()
    shown = pixel_digest(images[25] if images[25].ndim == 3 else images[25][..., None])
    excluded = tuple(sorted([shown, identity_digest("0")]))
    outcome = _ingest_without(tmp_path / "d.npz", tmp_path / "out", excluded)
    fates = list(read_manifest(outcome.open.path))
    gone = {fate.name for fate in fates if fate.reason == EXCLUDED}
    assert gone == {f"d.npz#{n}" for n in [*range(20), 25]}
    numbers = (outcome.open.path / "records" / "fates.bin").read_bytes()
    assert [number == 7 for number in numbers] == [n < 20 or n == 25 for n in range(60)]
    told = [fate for fate in fates if fate.reason == EXCLUDED]
    assert {(fate.label, fate.pixels) for fate in told} == {(None, None)}
    names = (outcome.open.path / "records" / "labels.json").read_text()
    assert json.loads(names) == ["", "1", "2"]
    assert set(outcome.report["classes"]) == {"1", "2"}, "whom nobody may name is in no list"
    again = _ingest_without(tmp_path / "d.npz", tmp_path / "again", tuple(sorted({whole, shown})))
    assert [fate.name for fate in read_manifest(again.open.path) if fate.reason == EXCLUDED] == [
        "d.npz#25"
    ]  # a file of many is never one that is excluded


def test_labels_that_are_numbers_keep_their_order(tmp_path: Path) -> None:
    images = np.stack([files.pixels(seed) for seed in range(60)])
    np.savez(tmp_path / "d.npz", images=images, labels=np.repeat([2, 10, 9], 20))
    outcome = _ingest(tmp_path / "d.npz", tmp_path / "out", task="classification", split_by="image")
    assert outcome.open.info.classes == ("2", "9", "10")


# layouts ----------------------------------------------------------------------------------------


def test_folders_that_are_a_split_stay_one(tmp_path: Path) -> None:
    """As in split_folders of the cases, in CIFAR-10 and in most data sets of the web."""
    for seed, (split, each) in enumerate({"train": 20, "Val": 8, "test": 5}.items()):
        files.folder(tmp_path / "data" / split, {"ant": each, "bee": each}, 5000 + 100 * seed)
    outcome = _ingest(tmp_path / "data", tmp_path / "out", task="classification", split_by="image")
    assert outcome.open.info.classes == ("ant", "bee")
    assert dict(outcome.open.info.splits) == {"train": 40, "validation": 8, "selection": 8}
    assert {line["name"].partition("/")[0] for line in outcome.sealed.manifest()} == {"test"}
    sealed = "unseen images of all 2 classes (the data's own split: test)"
    assert outcome.sealed.info.description == sealed
    assert outcome.open.info.description.endswith("(the data's own split: val)")


def test_a_split_without_an_image_that_can_be_used_is_named(tmp_path: Path) -> None:
    files.folder(tmp_path / "data/train", {"ant": 60, "bee": 60}, 5000)
    (tmp_path / "data/test").mkdir()
    for number in range(6):
        (tmp_path / f"data/test/{number}.png").write_bytes(files.png(number))
    plan = {"task": "classification", "split_by": "image"}
    outcome = _ingest(tmp_path / "data", tmp_path / "out", **plan)
    (warning,) = outcome.report["use"]["warnings"]
    assert warning.startswith("the data's own sealed split (test, testing, sealed) has no image")
    for number in range(6):
        label = tmp_path / "data/test" / ("ant", "bee")[number % 2]
        label.mkdir(exist_ok=True)
        (tmp_path / f"data/test/{number}.png").rename(label / f"{number}.png")
    fixed = _ingest(tmp_path / "data", tmp_path / "fixed", **plan)
    assert dict(fixed.sealed.info.splits) == {"sealed": 6}


def test_a_folder_of_a_class_without_an_image_is_named(tmp_path: Path) -> None:
    plan = {"task": "classification", "split_by": "image"}
    for seed, split in enumerate(("train", "test")):
        files.folder(tmp_path / "data" / split, {"ant": 20, "bee": 20}, 5000 + 100 * seed)
    full = _ingest(tmp_path / "data", tmp_path / "full", **plan)
    for name in ("train/cat", "test/Bee", "val", "extra"):
        (tmp_path / "data" / name).mkdir()
    (tmp_path / "data/train/cat/.gitkeep").touch()
    outcome = _ingest(tmp_path / "data", tmp_path / "out", **plan)
    (warning,) = outcome.report["use"]["warnings"]
    assert warning == (
        "4 folders hold no file that is data: extra, test/Bee, train/cat, val. Put images into "
        "them, or remove them"
    )
    left = [
        json.loads(line)
        for line in (outcome.path / "report/left_out.jsonl").read_text().splitlines()
    ]
    assert {line["kind"] for line in left} == {"empty-folder"}
    assert [line["name"] for line in left] == ["extra/", "test/Bee/", "train/cat/", "val/"]
    assert dict(outcome.open.info.splits) == dict(full.open.info.splits), "the split is kept"
    for split, (images, labels) in full.splits().items():
        assert (images == outcome.splits()[split][0]).all()
        assert (labels == outcome.splits()[split][1]).all()


def test_where_one_class_has_images_the_folders_without_any_are_named(tmp_path: Path) -> None:
    plan = {"task": "classification", "split_by": "image"}
    data = files.folder(tmp_path / "data", {"ant": 10}, 5000)
    (data / "bee").mkdir()
    with pytest.raises(UserError, match=r"1 empty-folder: bee/ \(") as caught:
        _ingest(data, tmp_path / "refused", **plan)
    assert caught.value.fix.startswith("put images into the folders that hold none")
    files.folder(data, {"bee": 10}, 6000)
    _ingest(data, tmp_path / "out", **plan)


def test_deeper_folders_are_labels_where_that_is_said(tmp_path: Path) -> None:
    for seed, alphabet in enumerate(("Greek", "Latin", "Thai", "Lao")):
        letters = {f"letter{number}": 4 for number in range(2)}
        files.folder(tmp_path / "data" / alphabet, letters, 5000 + 100 * seed)
    with pytest.raises(UserError, match=r"32 layout: Greek/letter0/0\.png") as caught:
        _ingest(tmp_path / "data", tmp_path / "refused")
    assert "split: {labels: path}" in caught.value.fix
    outcome = _ingest(tmp_path / "data", tmp_path / "out", labels="path")
    assert outcome.open.info.classes[:2] == ("Greek/letter0", "Greek/letter1")
    outcome = _ingest(tmp_path / "data", tmp_path / "groups", labels="path", split_by="group")
    assert outcome.sealed.info.description == "2 classes of 1 group never trained on"
    assert outcome.open.info.resample == "identity"


def _groups(outcome: Outcome) -> dict[str, Counter[str]]:
    """How many images of each group are in each split; the empty name is of no group."""
    found: dict[str, Counter[str]] = {}
    for data in (outcome.open, outcome.sealed):
        names = [*data.info.groups, ""]
        for split in data.info.splits:
            groups = data.groups(split)
            assert groups is not None
            assert len(groups) == len(data.labels(split))
            found[split] = Counter(names[group] for group in groups)
    return found


def test_the_column_group_is_kept_whatever_is_split_by(tmp_path: Path) -> None:
    root = files.folder(tmp_path / "data", {"ant": 20, "bee": 20}, 6000)
    images = sorted(root.glob("*/*.png"))
    sites = {path: ("Oslo", "Rome", "")[number % 3] for number, path in enumerate(images)}
    rows = [f"{path.relative_to(root)},{path.parent.name},{site}" for path, site in sites.items()]
    listed = root / "list.csv"
    listed.write_text("\n".join(["path,label,group", *rows]))
    outcome = _ingest(listed, tmp_path / "out", task="classification", split_by="image")
    assert outcome.open.info.groups == outcome.sealed.info.groups == ("Oslo", "Rome")
    found = sum(_groups(outcome).values(), Counter())
    assert found == Counter(sites.values())
    assert outcome.report["groups"]["Oslo"]["train"] == _groups(outcome)["train"]["Oslo"]


def test_the_first_folder_is_the_group_of_a_label_that_is_a_path(tmp_path: Path) -> None:
    for seed, alphabet in enumerate(("Greek", "Latin")):
        letters = {f"letter{number}": 4 for number in range(4)}
        files.folder(tmp_path / "data" / alphabet, letters, 5000 + 100 * seed)
    outcome = _ingest(tmp_path / "data", tmp_path / "out", labels="path")
    assert sum(_groups(outcome).values(), Counter()) == {"Greek": 16, "Latin": 16}
    data = outcome.open
    groups = data.groups("train")
    assert groups is not None
    for label, group in zip(data.labels("train"), groups, strict=True):
        assert data.info.classes[label].startswith(f"{data.info.groups[group]}/")


def test_a_folder_of_folders_of_labels_is_a_group_where_that_is_said(tmp_path: Path) -> None:
    for seed, site in enumerate(("Oslo", "Rome")):
        files.folder(tmp_path / "data" / site, {"ant": 8, "bee": 8}, 5000 + 100 * seed)
    plan = {"task": "classification", "split_by": "image"}
    with pytest.raises(UserError) as caught:
        _ingest(tmp_path / "data", tmp_path / "refused", **plan)
    assert "split: {groups: folder}" in caught.value.fix
    outcome = _ingest(tmp_path / "data", tmp_path / "out", groups="folder", **plan)
    assert outcome.open.info.classes == ("ant", "bee")
    assert sum(_groups(outcome).values(), Counter()) == {"Oslo": 16, "Rome": 16}
    with pytest.raises(UserError, match=r"not in one \(groups: folder\)") as caught:
        _ingest(tmp_path / "data" / "Oslo", tmp_path / "no groups", groups="folder", **plan)
    assert "remove groups: folder" in caught.value.fix
    _ingest(tmp_path / "data" / "Oslo", tmp_path / "again", **plan)


def test_data_without_groups_is_as_it_was(tmp_path: Path) -> None:
    root = files.folder(tmp_path / "data", {"ant": 10, "bee": 10}, 6000)
    outcome = _ingest(root, tmp_path / "out", task="classification", split_by="image")
    assert outcome.open.info.groups == ()
    assert outcome.open.groups("train") is None
    assert "groups" not in outcome.report
    assert not list(outcome.path.rglob("groups.npy"))
    assert b"groups" not in (outcome.path / "dataset" / "dataset.json").read_bytes()


def test_groups_that_floors_need_and_data_does_not_tell_of_are_asked_for(tmp_path: Path) -> None:
    root = files.folder(tmp_path / "data" / "Oslo", {"ant": 10, "bee": 10}, 6000)
    plan = {"task": "classification", "split_by": "image"}
    with pytest.raises(UserError, match=r"budgets\.per is group") as caught:
        _ingest(root, tmp_path / "refused", groups_needed=True, **plan)
    assert "split: {groups: folder}" in caught.value.fix
    assert "remove per: group" in caught.value.fix
    _ingest(root.parent, tmp_path / "folder", groups_needed=True, groups="folder", **plan)
    listed = root / "list.csv"
    names = [path.relative_to(root) for path in sorted(root.glob("*/*.png"))]
    listed.write_text("\n".join(["path,label", *(f"{name},{name.parent}" for name in names)]))
    with pytest.raises(UserError, match="no groups") as caught:
        _ingest(listed, tmp_path / "list", groups_needed=True, **plan)
    assert "a column called group" in caught.value.fix
    with pytest.raises(UserError, match="no folder of images"):
        _ingest(listed, tmp_path / "no folder", groups="folder", **plan)
    rows = [f"{name},{name.parent},Oslo" for name in names]
    listed.write_text("\n".join(["path,label,group", *rows]))
    _ingest(listed, tmp_path / "fixed", groups_needed=True, **plan)


def test_one_name_in_two_spellings_is_refused_until_told_apart(tmp_path: Path) -> None:
    names = ["Zo\u00eb", "Zoe\u0308", "Kim", "kim", *(f"p{number}" for number in range(8))]
    root = files.folder(tmp_path / "data", dict.fromkeys(names, 3))
    with pytest.raises(UserError, match="2 names are spelt in more than one way") as caught:
        _ingest(root, tmp_path / "refused")
    for rule, people in (("merge", 10), ("apart", 12)):
        assert f"split: {{same_names: {rule}}}" in caught.value.fix
        outcome = _ingest(root, tmp_path / rule, same_names=rule)
        assert len(outcome.open.info.classes) == people
        assert sum(len(labels) for _, labels in outcome.splits().values()) == 36


def test_groups_in_two_spellings_are_one_or_two_as_is_said(tmp_path: Path) -> None:
    for seed, site in enumerate(("Oslo", "oslo ", "Rome")):
        files.folder(tmp_path / "data" / site, {"ant": 8, "bee": 8}, 7000 + 100 * seed)
    plan = {"task": "classification", "split_by": "image", "groups": "folder"}
    with pytest.raises(UserError, match="1 group is spelt in more than one way") as caught:
        _ingest(tmp_path / "data", tmp_path / "refused", **plan)
    for rule, groups in (("merge", ("Oslo", "Rome")), ("apart", ("Oslo", "Rome", "oslo "))):
        assert f"split: {{same_names: {rule}}}" in caught.value.fix
        outcome = _ingest(tmp_path / "data", tmp_path / rule, same_names=rule, **plan)
        assert outcome.open.info.groups == groups
        assert any(
            "spelt in more than one way" in text for text in outcome.report["use"]["warnings"]
        )


def test_labels_of_an_archive_that_are_paths_tell_the_groups(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (96, 8, 8), np.uint8)
    names = [f"Alphabet{n % 8}/character{n // 8 % 2}" for n in range(96)]
    np.savez(tmp_path / "x.npz", images=images, labels=names)
    plan = {"labels": "path", "split_by": "group"}
    outcome = _ingest(tmp_path / "x.npz", tmp_path / "out", **plan)
    assert outcome.report["used"] == 96
    assert set(outcome.open.info.groups) == {name.partition("/")[0] for name in names}
    assert set(outcome.open.info.classes) == set(names), "labels stay whole"
    homes: dict[str, set[str]] = {}
    for data in (outcome.open, outcome.sealed):
        for split in data.info.splits:
            groups = data.groups(split)
            assert groups is not None
            for group in np.unique(groups):
                homes.setdefault(data.info.groups[group], set()).add(split)
    assert sorted(map(len, homes.values())) == [1] * 8, "an alphabet is in one split"
    without = {"task": "classification", "split_by": "image"}
    plain = _ingest(tmp_path / "x.npz", tmp_path / "plain", **without)
    assert not plain.open.info.groups
    flat = tmp_path / "flat.npz"
    np.savez(flat, images=images, labels=[name.replace("/", "_") for name in names])
    with pytest.raises(UserError, match="none has a /, such as 'Alphabet0_character0'") as caught:
        _ingest(flat, tmp_path / "refused", **plan)
    assert "leave out labels under split:" in caught.value.fix
    _ingest(flat, tmp_path / "fixed", **without)
    with pytest.raises(UserError, match="no groups") as caught:
        _ingest(flat, tmp_path / "floors", groups_needed=True, **without)
    assert "save the labels as GROUP/LABEL, and set split: {labels: path}" in caught.value.fix
    _ingest(tmp_path / "x.npz", tmp_path / "kept", groups_needed=True, labels="path", **without)


def _records(folder: Path, form: str, *, told: bool) -> Path:
    """Write forty images as records of a form, told of their groups or not."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (40, 6, 6), dtype=np.uint8)
    labels, groups = np.arange(40) % 2, np.arange(40) // 2 % 2
    folder.mkdir()
    if form == "npz":
        arrays = {"images": images, "labels": labels} | ({"groups": groups} if told else {})
        np.savez(folder / "d.npz", **arrays)
        return folder / "d.npz"
    if form == "csv":
        rows = [[*image.ravel(), *row] for image, *row in zip(images, labels, groups, strict=True)]
        header = [*(f"p{number}" for number in range(36)), "label", "group"]
        lines = [",".join(map(str, row if told else row[:-1])) for row in (header, *rows)]
        (folder / "d.csv").write_text("\n".join(lines))
        return folder / "d.csv"
    for name, array in (("images-idx3", images), ("labels-idx1", labels), ("groups-idx1", groups)):
        shape = b"".join(side.to_bytes(4, "big") for side in array.shape)
        content = bytes((0, 0, 8, array.ndim)) + shape + array.astype(np.uint8).tobytes()
        if told or "groups" not in name:
            (folder / f"a-{name}-ubyte").write_bytes(content)
    return folder


@pytest.mark.parametrize("form", ["npz", "csv", "idx"])
def test_groups_of_records_are_asked_for_and_then_used(tmp_path: Path, form: str) -> None:
    plan = {"task": "classification", "split_by": "image", "groups_needed": True}
    with pytest.raises(UserError, match="no groups") as caught:
        _ingest(_records(tmp_path / "plain", form, told=False), tmp_path / "refused", **plan)
    assert "groups" in caught.value.fix or "a column called group" in caught.value.fix
    outcome = _ingest(_records(tmp_path / "told", form, told=True), tmp_path / "out", **plan)
    assert sum(_groups(outcome).values(), Counter()) == {"0": 20, "1": 20}
    assert all(line["status"] == "used" for line in outcome.open.manifest())


def test_omniglot_as_it_is_published(shared: Path, tmp_path: Path) -> None:
    """``images_background/Alphabet/characterNN/NNNN_NN.png``: four alphabets of it."""
    with np.load(shared / "data/omniglot/background.npz") as arrays:
        labels, images = arrays["labels"], arrays["images"]
    alphabets = sorted({label.partition("/")[0] for label in labels})[:4]
    root = tmp_path / "images_background"
    chosen = [n for n, label in enumerate(labels) if label.partition("/")[0] in alphabets][::4]
    for number in chosen:
        (root / labels[number]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[number]).save(root / labels[number] / f"{number:05d}.png")
    outcome = _ingest(root, tmp_path / "out", labels="path", split_by="group")
    assert outcome.report["used"] == len(chosen)
    assert set(outcome.open.info.classes) == {labels[number] for number in chosen}
    homes: dict[str, set[str]] = {}
    for line in [*outcome.open.manifest(), *outcome.sealed.manifest()]:
        homes.setdefault(line["name"].partition("/")[0], set()).add(line["split"])
    assert sorted(map(len, homes.values())) == [1, 1, 1, 1], "an alphabet is in one split"
    assert outcome.sealed.info.description.endswith("of 1 group never trained on")


def test_cifar_as_it_is_published(shared: Path, tmp_path: Path) -> None:
    """``{train,test}/CLASS/NNNN.jpg``: the test images are the sealed ones."""
    with tarfile.open(shared / "data/cifar10_jpeg/cifar10.tar.gz") as archive:
        for member in archive:
            if member.isfile() and int(Path(member.name).stem) % 250 == 0:
                archive.extract(member, tmp_path, filter="data")
    files_of = {split: len(list((tmp_path / "cifar10" / split).rglob("*.jpg")))
                for split in ("train", "test")}  # fmt: skip
    assert min(files_of.values()) >= 40
    settings = {"task": "classification", "split_by": "image", "channels": 3}
    outcome = _ingest(tmp_path / "cifar10", tmp_path / "out", **settings)
    splits = {name: split["images"] for name, split in outcome.report["splits"].items()}
    assert splits["sealed"] == files_of["test"]
    assert sum(splits.values()) == sum(files_of.values()) == outcome.report["used"]
    assert len(outcome.open.info.classes) == 10
    assert outcome.sealed.info.description.endswith("(the data's own split: test)")


def test_faces_as_in_lfw_are_cut_as_asked(tmp_path: Path) -> None:
    root = tmp_path / "lfw"
    for person in range(10):
        name = f"Some_Body_{person}"
        (root / name).mkdir(parents=True)
        for number in range(1, 1 + 3 * (person > 0) + (person == 0)):
            image = files.photo(100 * person + number, 250, 250)
            image.save(root / name / f"{name}_{number:04d}.jpg", quality=95)
    settings = {"height": 130, "width": 130, "channels": 3}
    outcome = _ingest(root, tmp_path / "out", crop=(60, 50, 130, 130), **settings)
    (alone,) = outcome.report["use"]["left_out"]
    assert (alone["reason"], alone["images"]) == ("few-images", 1)
    (line,) = [item for item in outcome.open.manifest() if item["split"] == "train"][:1]
    (row,) = outcome.open.images("train")[line["index"] : line["index"] + 1]
    whole = np.asarray(Image.open(root / line["name"]))
    assert np.array_equal(row, whole[60:190, 50:180]), "nothing is scaled where the sizes agree"


def test_classes_as_in_trashnet_lie_deeper_and_lead_to_their_fix(tmp_path: Path) -> None:
    root = tmp_path / "dataset"
    files.folder(root / "resized", {"glass": 20, "paper": 20, "trash": 20})
    settings = {"task": "classification", "split_by": "image"}
    with pytest.raises(UserError, match=r"60 layout: resized/glass/0\.png") as caught:
        _ingest(root, tmp_path / "refused", **settings)
    assert "split: {labels: path}" in caught.value.fix
    fixed = _ingest(root, tmp_path / "fixed", labels="path", **settings)
    assert fixed.report["used"] == 60
    given = _ingest(root / "resized", tmp_path / "given", **settings)
    assert given.open.info.classes == ("glass", "paper", "trash")


@pytest.mark.parametrize("folder", ["", "images/", "train/"])
def test_a_folder_of_images_and_one_list_is_read_by_the_list(tmp_path: Path, folder: str) -> None:
    """As in flat_and_csv of the cases, and in most competitions of Kaggle."""
    root = tmp_path / "data"
    (root / folder).mkdir(parents=True)
    for number in range(46):
        (root / f"{folder}{number}.png").write_bytes(files.png(number))
    rows = [f"{folder}{number}.png,{'ab'[number % 2]}" for number in range(40)]
    (root / "labels.csv").write_text("\n".join(["file,label", *rows]))
    settings = {"task": "classification", "split_by": "image"}
    outcome = _ingest(root, tmp_path / "out", **settings)
    use = outcome.report["use"]
    assert (use["images"], use["used"]) == (46, 40)
    ((loss),) = use["left_out"]
    assert (loss["reason"], loss["images"]) == ("unlisted", 6)
    assert loss["examples"][0] == (f"{folder}40.png (unlisted: labels.csv does not name it)")
    assert "6 of 46 images (13 %) are not used: 6 unlisted" in use["warnings"][0]
    given = _ingest(root / "labels.csv", tmp_path / "given", **settings)
    assert given.digests == outcome.digests


def test_which_of_several_lists_is_meant_is_not_guessed(tmp_path: Path) -> None:
    root = tmp_path / "data"
    (root / "images").mkdir(parents=True)
    for number in range(40):
        (root / f"images/{number}.png").write_bytes(files.png(number))
    rows = [f"images/{number}.png,{'ab'[number % 2]}" for number in range(40)]
    (root / "train.csv").write_text("\n".join(["file,label", *rows]))
    (root / "sample_submission.csv").write_text("file\nimages/1.png\n")
    with pytest.raises(UserError, match=r"the folders of .* say no labels") as caught:
        snapshot(str(root))
    assert f"as data: {root}/sample_submission.csv or {root}/train.csv" in caught.value.fix
    settings = {"task": "classification", "split_by": "image"}
    assert _ingest(root / "train.csv", tmp_path / "out", **settings).report["used"] == 40


def test_what_says_nothing_of_the_data_is_refused(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"task": "classification", "split_by": "image"}
    root = files.folder(tmp_path / "data", {"a": 20, "b": 20})
    pixels = tmp_path / "x.csv"
    pixels.write_text("label,a,b,c,d\n" + "\n".join(f"{n % 2},{n},1,2,3" for n in range(8)))
    for data, key, value, called in (
        (root, "label_column", "first", "a folder of images"),
        (pixels, "labels", "path", "a csv file of pixels"),
    ):
        with pytest.raises(
            UserError, match=rf"{key}: {value}}} says .* data is {called}"
        ) as caught:
            _ingest(data, tmp_path / key, **settings, **{key: value})
        assert caught.value.fix == f"leave out {key} under split:"
    assert _ingest(root, tmp_path / "out", **settings).report["used"] == 40


# near-duplicates --------------------------------------------------------------------------------


def _recompressed(tmp_path: Path, pairs: int = 60) -> Path:
    """Two classes of photographs; each of class a is there in a second compression."""
    root = tmp_path / "data"
    for number in range(2 * pairs):
        image = files.photo(number)
        label = "ab"[number % 2]
        (root / label).mkdir(parents=True, exist_ok=True)
        image.save(root / label / f"{number}.png")
        if label == "a":
            image.save(root / label / f"{number}-again.jpg", quality=60)
    files.photo(1).save(root / "a" / "of-b.jpg", quality=60)
    return root


def test_near_duplicates_across_splits_and_classes_are_told_and_kept_together(
    tmp_path: Path,
) -> None:
    root = _recompressed(tmp_path)
    plain = _ingest(root, tmp_path / "plain", task="classification", split_by="image")
    lines = [json.loads(line) for line in plain.near_duplicates]
    homes = {line["name"]: line["split"] for line in plain.open.manifest()}
    for line in lines:
        assert homes[line["one"]] == line["one_split"]
        assert homes[line["other"]] == line["other_split"]
    torn = [line for line in lines if line["one_split"] != line["other_split"]]
    assert len(torn) > 10
    ((wrong),) = [line for line in lines if line["one_label"] != line["other_label"]]
    assert (wrong["one"], wrong["other"]) == ("a/of-b.jpg", "b/1.png")
    splits, labels = plain.report["use"]["warnings"][-2:]
    assert splits.startswith(f"{len(torn)} pairs of images show in two splits almost the same: ")
    assert labels.startswith("1 pair of images shows under two labels almost the same: a/of-b.jpg")
    assert "split: {near_duplicates: together}" in splits  # and that ends it:
    kept = _ingest(
        root, tmp_path / "kept", task="classification", split_by="image",
        near_duplicates="together",
    )  # fmt: skip
    assert [json.loads(line)["one"] for line in kept.near_duplicates] == ["a/of-b.jpg"]
    assert len(kept.report["use"]["warnings"]) == len(plain.report["use"]["warnings"]) - 1
    assert kept.report["used"] == plain.report["used"] == 181


# promises ---------------------------------------------------------------------------------------


def test_bytes_depend_on_nothing_but_content_parameters_and_seed(
    messy: Path, cleaned: Outcome, tmp_path: Path
) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(messy, copy)
    again = _ingest(copy, tmp_path / "again", threads=7)
    assert again.digests == cleaned.digests
    other = _ingest(copy, tmp_path / "other", seed=1)
    assert other.digests[0] != cleaned.digests[0]


def test_images_are_resized_in_the_channels_asked_for(tmp_path: Path) -> None:
    root = files.folder(tmp_path / "data", {f"p{number}": 3 for number in range(8)})
    outcome = _ingest(root, tmp_path / "out", height=6, width=9, channels=3)
    assert outcome.open.info.shape == (6, 9, 3)
    assert outcome.open.images("train").shape[1:] == (6, 9, 3)
    assert outcome.report["sizes"] == [{"height": 12, "width": 10, "pictures": 24}]


def test_parts_of_images_are_used_as_asked_and_refused_by_name(tmp_path: Path) -> None:
    root = files.folder(tmp_path / "data", {f"p{number}": 3 for number in range(8)})
    (root / "p0" / "clear.png").write_bytes(files.transparent("PNG"))
    small = files.encoded(files.random_image(1).crop((0, 0, 5, 5)), "PNG")
    (root / "p1" / "small.png").write_bytes(small)
    outcome = _ingest(
        root, tmp_path / "out", height=6, width=6, channels=3,
        crop=[2, 1, 8, 8], fit="crop", background="black",
    )  # fmt: skip
    lines = {line["name"]: line for line in outcome.open.manifest()}
    assert lines["p0/clear.png"]["status"] == "used"
    assert lines["p1/small.png"]["reason"].startswith("crop: 5 rows x 5 columns do not hold")
    assert outcome.report["quarantined_by_reason"] == {"crop": 1}


def test_duplicates_are_of_the_whole_image_not_of_its_small_copy(tmp_path: Path) -> None:
    root = files.folder(tmp_path / "data", {f"p{number}": 3 for number in range(8)})
    outcome = _ingest(root, tmp_path / "out", height=1, width=1)
    assert outcome.report["duplicates"] == 0
    first = decode_image((root / "p0/0.png").read_bytes(), channels=1).pixels
    assert pixel_digest(first) != pixel_digest(first[::-1])


def test_ingest_loads_no_framework_but_pillow(tmp_path: Path) -> None:
    root = files.folder(tmp_path / "data", {f"p{number}": 3 for number in range(8)})
    stage(snapshot(str(root)), tmp_path / "source")
    code = textwrap.dedent("""
        import sys
        from pathlib import Path
        from tests.components.flat import ingest
        loaded = {"numpy", "PIL"} & set(sys.modules)
        assert not loaded, f"the interface alone loads {loaded}"
        root = Path(sys.argv[1])
        ingest(root / "source", root / "d", root / "s", root / "r",
               task="verification", height=8, width=8)
        print(sorted({"tensorflow", "tf_keras", "sklearn", "scipy", "PIL"} & set(sys.modules)))
    """)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "['PIL']"


def test_the_interface_is_what_configurations_are_checked_against() -> None:
    interface = interface_of("ingest")
    assert interface.image == "train"
    assert [port.name for port in interface.outputs] == ["dataset", "sealed", "report"]
    complete = interface.complete({"task": "verification", "height": 8, "width": 8}, where="image")
    assert complete["sealed_fraction"] == 0.15
    for name, value in (("channels", 2), ("max_pixels", 10**9), ("validation", 1.0)):
        with pytest.raises(UserError, match=rf"image\.{name}"):
            interface.complete(
                {"task": "verification", "height": 8, "width": 8, name: value}, where="image"
            )
