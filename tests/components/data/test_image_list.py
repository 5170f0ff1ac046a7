"""Lists of images: which columns they have, which files they mean, and rows that mean none."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from components.artifacts.dataset import OPEN_SPLITS, Dataset
from components.contract.errors import UserError
from components.contract.source import Source
from components.data.curation import SourceImage
from components.data.image_list import names_meant
from components.data.reading import read_source
from components.data.settings import TargetFormat
from pipelines.sources.snapshot import snapshot, stage
from tests.components.flat import ingest
from tests.data import images as pictures

TARGET = TargetFormat(height=4, width=4, channels=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six images beside each other, two more one folder deeper, and no list yet."""
    root = pictures.folder(tmp_path / "data", {"deep": 2})
    for number in range(6):
        (root / f"{number}.png").write_bytes(pictures.png(number))
    return root


def _images(folder: Path, text: str) -> list[SourceImage]:
    """Return what the rows name, without what lies beside it."""
    return [image for image in _all(folder, text) if not image.fault.startswith("unlisted")]


def _all(folder: Path, text: str) -> list[SourceImage]:
    (folder / "labels.csv").write_text(text)
    staged = folder.parent / f"staged-{len(list(folder.parent.iterdir()))}"
    stage(snapshot(str(folder / "labels.csv")), staged)
    return read_source(Source.open(staged), TARGET, 2).images


@pytest.mark.parametrize("path", ["path", "file", " Image ", "FILENAME"])
@pytest.mark.parametrize("label", ["label", "Class", "target ", "identity"])
def test_titles_name_the_columns(folder: Path, path: str, label: str) -> None:
    images = _images(folder, f"number,{label},{path}\n1, a ,0.png\n2,b, deep/1.png \n")
    assert [(image.name, image.label, image.fault) for image in images] == [
        ("0.png", "a", ""), ("deep/1.png", "b", ""),
    ]  # fmt: skip


def test_split_and_group_are_handed_on(folder: Path) -> None:
    text = "path,label,split,group\n0.png,a,Train,Site 1\n1.png,b,TEST,\n2.png,b\n"
    assert [(image.split, image.group) for image in _images(folder, text)] == [
        ("train", "Site 1"), ("test", None), (None, None),
    ]  # fmt: skip


def test_paths_as_people_write_them(folder: Path) -> None:
    text = f"path,label\n./0.png,a\ndeep\\0.png,a\n{folder}/1.png,a\ndeep/../2.png,a\n"
    assert [(image.name, image.fault) for image in _images(folder, text)] == [
        ("0.png", ""), ("deep/0.png", ""), ("1.png", ""), ("2.png", ""),
    ]  # fmt: skip


@pytest.mark.parametrize(("listed", "lies"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_accents_may_be_written_in_another_form(folder: Path, listed: str, lies: str) -> None:
    """As in files from a Mac, and a list from elsewhere."""
    there = unicodedata.normalize(lies, "Zoë/ü.png")
    (folder / there).parent.mkdir()
    (folder / "0.png").rename(folder / there)
    text = f"path,label\n{unicodedata.normalize(listed, 'Zoë/ü.png')},a\n1.png,b\n"
    assert [(image.name, image.fault) for image in _images(folder, text)] == [
        (there, ""), ("1.png", ""),
    ]  # fmt: skip


def test_names_leave_neither_folder_nor_bucket() -> None:
    for path in ("../x.png", "/etc/passwd", "gs://other/x.png", "https://x/y.png", "", ".", "a/.."):
        assert names_meant(path, "labels.csv", "/data") == (), path
    assert names_meant("gs://b/d/x.png", "labels.csv", "gs://b/d") == ("x.png",)
    assert names_meant("../x.png", "lists/labels.csv", "gs://b") == ("x.png",)


def test_rows_that_mean_no_image_are_told_by_their_place(folder: Path) -> None:
    (folder / "5.png").write_bytes(b"")
    (folder / "fifo.png").symlink_to("/dev/null")
    text = "path,label\n0.png,a\n0.png,a\n9.png,a\n../x.png,a\n1.png,\n,a\n5.png,a\nfifo.png,a\ndeep,a\n"
    images = _images(folder, text)
    assert [(image.name, image.file, image.fault.partition(":")[0]) for image in images] == [
        ("0.png", "0.png", ""),
        ("labels.csv#1", "labels.csv", ""),
        ("labels.csv#2", "labels.csv", "missing"),
        ("labels.csv#3", "labels.csv", "outside"),
        ("1.png", "1.png", "label"),
        ("labels.csv#5", "labels.csv", "path"),
        ("5.png", "5.png", "empty"),
        ("fifo.png", "fifo.png", "special"),
        ("labels.csv#8", "labels.csv", "missing"),
    ]
    assert images[0].digest == images[1].digest, "curation counts them once"


def test_only_what_is_listed_is_data_and_images_beside_it_are_told(folder: Path) -> None:
    (folder / "notes.txt").write_text("no image")
    (folder / ".hidden.png").write_text("no data")
    images = _all(folder, "path,label\n0.png,a\n")
    assert [(image.name, image.file, image.fault) for image in images] == [
        ("0.png", "0.png", ""),
        *((f"{n}.png", f"{n}.png", "unlisted: labels.csv does not name it") for n in range(1, 6)),
    ]
    source = snapshot(str(folder / "labels.csv"))
    readable = [file.name for file in source.files if file.readable]
    assert readable == ["0.png", "labels.csv"], "what is in the others is not looked at"
    digest = source.digest
    (folder / "1.png").write_bytes(b"not listed")
    (folder / "deep" / "9.png").write_bytes(b"in a folder of which nothing is listed")
    assert snapshot(str(folder / "labels.csv")).digest == digest
    (folder / "0.png").write_bytes(pictures.png(77))
    assert snapshot(str(folder / "labels.csv")).digest != digest


def test_images_may_lie_behind_links(folder: Path, tmp_path: Path) -> None:
    pictures.folder(tmp_path / "elsewhere", {"a": 1})
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "list").symlink_to(folder / "labels.csv")
    images = _images(folder, "path,label\nlinked/a/0.png,a\n0.png,b\n")
    assert [(image.name, image.fault) for image in images] == [
        ("linked/a/0.png", ""),
        ("0.png", ""),
    ]


# every fix is a promise -------------------------------------------------------------------------


def test_images_beside_one_list_are_read_by_it(folder: Path) -> None:
    (folder / "labels.csv").write_text("file,label\n" + "0.png,a\n1.png,b\n")
    taken = snapshot(str(folder))
    assert (taken.format, taken.index) == ("list", "labels.csv")
    assert taken.digest == snapshot(str(folder / "labels.csv")).digest
    (folder / "labels.csv").write_text("file,kind\n0.png,a\n")
    with pytest.raises(UserError, match="a list of images with the columns file, kind"):
        snapshot(str(folder))


def test_a_list_without_labels_leads_to_its_fix(folder: Path) -> None:
    with pytest.raises(UserError, match="a list of images with the columns file, kind") as caught:
        _images(folder, "file,kind\n0.png,a\n")
    assert (
        caught.value.fix
        == "call the column that holds the class or identity label, in the first line"
    )
    assert _images(folder, "file,label\n0.png,a\n")[0].label == "a"


def test_a_list_with_a_column_for_each_class_leads_to_its_fix(folder: Path) -> None:
    with pytest.raises(UserError, match="the columns file, ant, bee") as caught:
        _images(folder, "file,ant,bee\n0.png,1,0\n1.png,0,1\n")
    assert "table['label'] = table[['ant', 'bee']].idxmax(axis=1)" in caught.value.fix
    found = _images(folder, "file,ant,bee,label\n0.png,1,0,ant\n1.png,0,1,bee\n")
    assert [image.label for image in found[:2]] == ["ant", "bee"]


def test_a_list_of_which_nothing_is_there_leads_to_its_fix(folder: Path) -> None:
    text = "file,label\ndata/0.png,a\ndata/1.png,b\n"
    with pytest.raises(
        UserError, match=r"lists 2 images, such as 'data/0\.png', and none"
    ) as caught:
        _images(folder, text)
    assert "relative to the folder of labels.csv" in caught.value.fix
    assert len(_images(folder, text.replace("data/", ""))) == 2


def test_two_columns_of_labels_lead_to_their_fix(folder: Path) -> None:
    with pytest.raises(UserError, match="2 columns that could be meant: label, identity"):
        _images(folder, "file,label,identity\n0.png,a,b\n")
    assert _images(folder, "file,label,person\n0.png,a,b\n")[0].label == "a"


# the whole way ----------------------------------------------------------------------------------


def test_a_list_becomes_a_dataset(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    lines = ["image,target"]
    for number in range(60):
        (root / f"{number}.png").write_bytes(pictures.png(number))
        lines.append(f"{number}.png,{'odd' if number % 2 else 'even'}")
    lines += ["0.png,even", "1.png,even", "none.png,odd"]
    (root / "labels.csv").write_text("\n".join(lines))
    stage(snapshot(str(root / "labels.csv")), tmp_path / "source")
    parameters: dict[str, Any] = {"task": "classification", "split_by": "image"}
    size = {"height": 12, "width": 10, "channels": 1}
    out = [tmp_path / name for name in ("dataset", "sealed", "report")]
    ingest(tmp_path / "source", *out, **parameters, **size)
    dataset = Dataset.open(out[0])
    assert dataset.info.classes == ("even", "odd")
    lines_of = {line["name"]: line for line in dataset.manifest()}
    assert set(lines_of) >= {f"{n}.png" for n in range(60)} | {"labels.csv", "labels.csv#62"}
    assert lines_of["labels.csv"]["status"] == "used"
    assert lines_of["labels.csv#60"]["duplicate_of"] == "0.png"
    assert lines_of["1.png"]["reason"].startswith("conflict: shows the same as labels.csv#61")
    report = json.loads((out[2] / "ingest.json").read_text())
    assert (report["used"], report["duplicates"]) == (59, 1)
    assert report["quarantined_by_reason"] == {"conflict": 2, "missing": 1}
    for split in OPEN_SPLITS:
        for row, label in enumerate(dataset.labels(split)):
            (name,) = [
                line["name"] for line in lines_of.values()
                if (line["split"], line["index"]) == (split, row)
            ]  # fmt: skip
            expected = "odd" if int(name.partition(".")[0]) % 2 else "even"
            assert dataset.info.classes[label] == expected
