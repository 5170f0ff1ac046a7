"""Csv files of pixels: which column is the label, what is a header, and what is no image."""

from __future__ import annotations

import gzip
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from components.contract.errors import UserError
from components.data.images import BadImage
from pipelines.sources.snapshot import snapshot
from tests.data.records import IMAGES, LABELS, check_records, read_records


def _lines(images: np.ndarray = IMAGES, labels: np.ndarray = LABELS) -> list[str]:
    rows = zip(images.reshape(len(images), -1), labels, strict=True)
    return [",".join(map(str, (*pixels, label))) for pixels, label in rows]


@pytest.mark.parametrize("name", ["d.csv", "d.csv.gz"])
def test_csv_reads_pixels_then_label(tmp_path: Path, name: str) -> None:
    text = ("\n".join(_lines()) + "\n\n").encode()
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    check_records(read_records(tmp_path / name, label_column="last"))


def test_csv_reads_a_header_and_names(tmp_path: Path) -> None:
    rows = [line.rsplit(",", 1) for line in _lines()]
    header = ",".join(["Label", *(f"pixel{n}" for n in range(16))])
    text = "\n".join([header, *(f'"{label}",{pixels}' for pixels, label in rows)])
    (tmp_path / "d.csv").write_text(text, encoding="utf-8-sig")
    check_records(read_records(tmp_path / "d.csv"))


def test_csv_bad_rows_are_records_of_their_own(tmp_path: Path) -> None:
    lines = _lines()
    lines[2] = lines[2].replace(",", ",x", 1)
    lines[4] = lines[4].partition(",")[2]
    lines[6] = lines[6].rsplit(",", 1)[0] + ", "
    (tmp_path / "d.csv").write_text("\n".join(lines))
    records = read_records(tmp_path / "d.csv", label_column="last")
    assert [isinstance(record.pixels, BadImage) for record in records] == [
        False, False, True, False, True, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "no row"),
        ("1,2,3,4,5,6,label\n", "no row of pixels"),
        ("7,2,3,4,5,6,cat\n", "no square"),
        ("alone\n", "no row of pixels"),
    ],
)
def test_csv_refuses_what_it_cannot_read(tmp_path: Path, text: str, match: str) -> None:
    (tmp_path / "d.csv").write_text(text)
    with pytest.raises(UserError, match=match):
        read_records(tmp_path / "d.csv", label_column="last")


def test_csv_damage_is_said(tmp_path: Path) -> None:
    packed = gzip.compress("\n".join(_lines() * 50).encode())
    (tmp_path / "d.csv.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(UserError, match=r"d\.csv\.gz is damaged"):
        read_records(tmp_path / "d.csv.gz", label_column="last")


# which column, and what is a header -------------------------------------------------------------

PIXELS = ["9,8,7,6", "5,5,1,0", "3,2,9,9", "4,4,8,8"]


def _written(path: Path, first: bool, labels: list[str], header: str = "") -> Path:
    """Write four images of 2 x 2 with their labels in the first or the last column."""
    rows = zip(labels, PIXELS, strict=True)
    lines = [f"{label},{pixels}" if first else f"{pixels},{label}" for label, pixels in rows]
    path.write_text("\n".join([*([header] if header else []), *lines]))
    return path


@pytest.mark.parametrize(
    ("header", "first"),
    [
        ("label,0,1,2,3", True),
        (" Class ,1,2,3,4", True),
        ("label,3,5,8,9", True),
        ("0,1,2,3,TARGET", False),
        ("a,b,c,d,identity", False),
        ("0,1,2,3,4", False),
        ("a,b,c,d,e", False),
        ("digit,p0,p1,p2,p3", True),
        ("digit,0,1,2,3", True),
    ],
)
def test_a_header_is_no_image(tmp_path: Path, header: str, first: bool) -> None:
    labels = ["0", "1", "1", "0"]
    data = _written(tmp_path / "d.csv", first, labels, header)
    titled = {"label", "class", "target", "identity"} & {
        t.strip().lower() for t in header.split(",")
    }
    given = None if titled else "first" if first else "last"
    records = read_records(data, (2, 2), label_column=given)
    assert [record.label for record in records] == labels
    assert [r.pixels.ravel().astype(int).tolist() for r in records] == [  # type: ignore[union-attr]
        [int(cell) for cell in row.split(",")] for row in PIXELS
    ]


@pytest.mark.parametrize(
    ("first_row", "labels"),
    [
        ("cat,1,9,3,4", ["dog", "cat", "dog", "cat"]),
        ("label,1,9,3,4", ["label", "cat", "label", "cat"]),  # a class that is called label
        ("cat,0,1,2,3", ["dog", "cat", "dog", "cat"]),  # an image whose pixels happen to count
        ("lynx,1,9,3,4", ["dog", "cat", "dog", "cat"]),  # the only one of its class
    ],
)
def test_an_image_is_no_header(tmp_path: Path, first_row: str, labels: list[str]) -> None:
    data = _written(tmp_path / "d.csv", True, labels, first_row)
    records = read_records(data, (2, 2), label_column="first")
    assert [record.label for record in records] == [first_row.split(",", maxsplit=1)[0], *labels]


def test_a_damaged_first_image_is_no_header(tmp_path: Path) -> None:
    data = _written(tmp_path / "d.csv", True, ["dog", "cat", "dog", "cat"], "cat,1,x,3,4")
    records = read_records(data, (2, 2), label_column="first")
    assert len(records) == 5
    assert isinstance(records[0].pixels, BadImage)


def test_the_column_of_labels_is_never_guessed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    labels = ["0", "1", "1", "0"]
    data = _written(tmp_path / "d.csv", True, labels)
    with pytest.raises(UserError, match="does not say which column holds the label") as caught:
        read_records(data, (2, 2))
    assert "set label_column: last (or first) under split" in caught.value.fix
    assert [r.label for r in read_records(data, (2, 2), label_column="first")] == labels
    assert "one is label" in caught.value.fix
    _written(data, True, labels, "label,a,b,c,d")
    with caplog.at_level("INFO"):
        assert [r.label for r in read_records(data, (2, 2))] == labels
    assert "labels of d.csv: column 1 of 5, headed 'label'" in caplog.text


def test_contradictions_about_the_column_lead_to_their_fix(tmp_path: Path) -> None:
    labels = ["0", "1", "1", "0"]
    data = _written(tmp_path / "d.csv", True, labels, "label,a,b,c,d")
    with pytest.raises(UserError, match="heads column 1 'label', and label_column is last") as one:
        read_records(data, (2, 2), label_column="last")
    assert "leave label_column out" in one.value.fix
    assert [r.label for r in read_records(data, (2, 2))] == labels
    _written(data, True, labels, "label,a,b,c,class")
    with pytest.raises(UserError, match="2 columns that could be meant: label, class") as two:
        read_records(data, (2, 2))
    assert "give the others another title" in two.value.fix
    _written(data, True, labels, "label,a,b,c,d")
    assert [r.label for r in read_records(data, (2, 2))] == labels


def test_numbers_of_rows_lead_to_their_fix(tmp_path: Path) -> None:
    """As tables are written when nobody says otherwise, with an index and without a title."""
    labels = ["0", "1", "1", "0"]
    data = _written(tmp_path / "d.csv", True, labels, "label,a,b,c,d")
    lines = data.read_text().splitlines()
    indexed = [f",{lines[0]}", *(f"{n},{line}" for n, line in enumerate(lines[1:]))]
    data.write_text("\n".join(indexed))
    with pytest.raises(UserError, match="a column without title") as caught:
        read_records(data, (2, 2))
    assert "index=False" in caught.value.fix
    data.write_text("\n".join(lines))
    assert [r.label for r in read_records(data, (2, 2))] == labels


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators(tmp_path: Path, separator: str) -> None:
    data = _written(tmp_path / "d.csv", True, ["é", "1", "1", "é"], "label,a,b,c,d")
    data.write_text(data.read_text().replace(",", separator))
    assert [r.label for r in read_records(data, (2, 2))] == ["é", "1", "1", "é"]


def test_other_encodings_lead_to_their_fix(tmp_path: Path) -> None:
    data = _written(tmp_path / "d.csv", True, ["é", "1", "1", "é"], "label,a,b,c,d")
    text = data.read_text()
    for encoding, name in (("latin1", "LATIN1"), ("utf-16", "UTF-16")):
        data.write_bytes(text.encode(encoding))
        with pytest.raises(UserError, match="is no text in UTF-8: line") as caught:
            read_records(data, (2, 2))
        assert f"-f {name} " in caught.value.fix
        command = ["iconv", "-f", name, "-t", "UTF-8", data]
        data.write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
        assert [r.label for r in read_records(data, (2, 2))] == ["é", "1", "1", "é"]


def test_a_list_without_titles_leads_to_its_fix(tmp_path: Path) -> None:
    data = tmp_path / "d.csv"
    data.write_text("a.png,cat\nb.png,dog\n")
    with pytest.raises(UserError, match=r"lists files, and its first row a\.png,cat") as caught:
        read_records(data, (2, 2))
    assert caught.value.fix.endswith("path,label")
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"x")
    data.write_text("path,label\n" + data.read_text())
    assert snapshot(str(data)).format == "list"


# other columns ----------------------------------------------------------------------------------


def _columns(path: Path, header: str, ends: list[str]) -> Path:
    """Write four images of 2 x 2, each with other cells behind its pixels."""
    rows = [f"{pixels},{end}" for pixels, end in zip(PIXELS, ends, strict=True)]
    path.write_text("\n".join([header, *rows]))
    return path


def test_columns_of_splits_and_groups_are_no_pixels(tmp_path: Path) -> None:
    ends = ["Train,a,Oslo", "test,b,", ",a,Rome", "val,b,Rome"]
    data = _columns(tmp_path / "d.csv", "p0,p1,p2,p3,Split,label,GROUP", ends)
    records = read_records(data, (2, 2))
    assert [(r.label, r.split, r.group) for r in records] == [
        ("a", "train", "Oslo"), ("b", "test", None), ("a", None, "Rome"), ("b", "val", "Rome"),
    ]  # fmt: skip
    for record, pixels in zip(records, PIXELS, strict=True):
        assert isinstance(record.pixels, np.ndarray)
        assert record.pixels.ravel().tolist() == list(map(int, pixels.split(",")))
    _columns(data, "p0,p1,p2,p3,group", ["Oslo", "Rome", "Oslo", "Rome"])
    with pytest.raises(UserError, match="does not say which column"):
        read_records(data, (2, 2))
    labelled = read_records(data, (2, 2), label_column="last")  # what the user says is so
    assert [(r.label, r.group) for r in labelled[:2]] == [("Oslo", None), ("Rome", None)]


def test_a_row_without_its_group_is_no_image(tmp_path: Path) -> None:
    ends = ["a,Oslo", "b", "a,Rome", "b,Rome"]
    data = _columns(tmp_path / "d.csv", "p0,p1,p2,p3,label,group", ends)
    faulty = [isinstance(r.pixels, BadImage) for r in read_records(data, (2, 2))]
    assert faulty == [False, True, False, False]


def test_columns_that_hold_no_pixels_lead_to_their_fix(tmp_path: Path) -> None:
    ends = ["a,7,x", "b,8,x", "a,9,x", "b,1,x"]
    data = _columns(tmp_path / "d.csv", "p0,p1,p2,p3,label,Id,Source", ends)
    with pytest.raises(UserError, match="neither pixels nor the label: Id, Source") as caught:
        read_records(data, (2, 2))
    assert "pd.read_csv('d.csv').drop(columns=['Id', 'Source'])" in caught.value.fix
    _columns(data, "p0,p1,p2,p3,label", [end[0] for end in ends])
    assert [r.label for r in read_records(data, (2, 2))] == ["a", "b", "a", "b"]


def test_pixels_in_one_cell_lead_to_their_fix(tmp_path: Path) -> None:
    """As in FER2013: emotion,pixels,Usage."""
    rows = [f"{number % 2},{pixels.replace(',', ' ')}" for number, pixels in enumerate(PIXELS)]
    data = tmp_path / "d.csv"
    data.write_text("\n".join(["emotion,pixels", *rows]))
    with pytest.raises(UserError, match="in one cell, of the column 'pixels'") as caught:
        read_records(data, (2, 2))
    assert "table.pop('pixels').str.split(expand=True)" in caught.value.fix
    data.write_text("\n".join(["emotion,0,1,2,3", *(row.replace(" ", ",") for row in rows)]))
    records = read_records(data, (2, 2), label_column="first")
    assert [r.label for r in records] == ["0", "1", "0", "1"]


def test_a_column_that_pandas_numbered_leads_to_its_fix(tmp_path: Path) -> None:
    ends = ["a,0", "b,1", "a,2", "b,3"]
    data = _columns(tmp_path / "d.csv", "p0,p1,p2,p3,label,Unnamed: 0", ends)
    with pytest.raises(UserError, match="a column without title"):
        read_records(data, (2, 2))
    _columns(data, "p0,p1,p2,p3,label", [end[0] for end in ends])
    assert [r.label for r in read_records(data, (2, 2))] == ["a", "b", "a", "b"]


@pytest.mark.parametrize("header", ["image_path,kind", "id,file_name,age,sex,site,kind"])
def test_a_list_whose_files_are_called_otherwise_is_given_titles(
    tmp_path: Path, header: str
) -> None:
    titles = header.split(",")
    place = next(n for n, title in enumerate(titles) if title.startswith(("image", "file")))
    rows = [["7"] * len(titles) for _ in range(4)]
    for number, row in enumerate(rows):
        row[place], row[-1] = f"{number}.png", "ab"[number % 2]
        (tmp_path / row[place]).write_bytes(b"x")
    data = tmp_path / "d.csv"
    data.write_text("\n".join(map(",".join, [titles, *rows])))
    with pytest.raises(UserError, match="lists files in its column") as caught:
        read_records(data, (2, 2))
    said = re.match(r"call the column '(\w+)' (\w+), and the one .* (\w+), in", caught.value.fix)
    assert said
    titles[titles.index(said[1])], titles[-1] = said[2], said[3]
    data.write_text("\n".join(map(",".join, [titles, *rows])))
    assert snapshot(str(data)).format == "list"


@pytest.mark.parametrize("header", ["id,breed", "image,label", "file,x,y,label"])
def test_a_list_of_numbers_is_begun_with_titles_and_names_files(
    tmp_path: Path, header: str
) -> None:
    data, more = tmp_path / "d.csv", ["7"] * (header.count(",") - 1)
    data.write_text(
        "\n".join([header, *(",".join([f"{n}", *more, "ab"[n % 2]]) for n in range(4))])
    )
    with pytest.raises(UserError, match="too few to hold pixels") as caught:
        read_records(data, (2, 2))
    titles = caught.value.fix.partition("give it the titles ")[2].partition(" in its")[0]
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(b"x")
    data.write_text("\n".join([titles, *(f"{n}.png,{'ab'[n % 2]}" for n in range(4))]))
    assert snapshot(str(data)).format == "list"
