"""Fixes of errors of files, applied: what an error says of data is done, and the error is gone.

Names, commands and edits are taken from the text of the fix.
"""

from __future__ import annotations

import re
import shlex
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.contract.errors import UserError
from pipelines.sources.snapshot import snapshot, snapshot_pairs
from tests.data.images import png
from tests.pipelines.applied import CONFIG, edits, ingested, merged, people, refused
from tests.servers.gcs.server import GcsServer

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (80, 8, 8), dtype=np.uint8)
LABELS = (np.arange(80) % 4).astype(np.uint8)
BY_IMAGE = merged(CONFIG, {"split": {"by": "image"}})


def places_in(fix: str, folder: Path) -> list[str]:
    """Return the places below a folder that a fix names."""
    return re.findall(rf"{re.escape(str(folder))}[\w./-]*\w", fix)


# where the data is ------------------------------------------------------------------------------


def gone_wrong(place: Path | str, what: str) -> str:
    with pytest.raises(UserError, match=what) as caught:
        snapshot(str(place))
    return caught.value.fix


def test_a_path_that_is_mistyped_is_told_up_to_where_it_exists(tmp_path: Path) -> None:
    people(tmp_path, {"Ann": 2, "Bob": 2}, "sets/faces")
    fix = gone_wrong(tmp_path / "sets" / "feces", "there is no")
    (exists,) = places_in(fix, tmp_path)
    (meant,) = Path(exists).iterdir()
    snapshot(str(meant))


def test_an_empty_folder_takes_the_data(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    assert "put the data there" in gone_wrong(tmp_path / "data", "is an empty folder")
    people(tmp_path, {"Ann": 2, "Bob": 2})
    snapshot(str(tmp_path / "data"))


def test_images_in_no_folder_are_moved_into_some(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for number in range(4):
        (tmp_path / "data" / f"{number}.png").write_bytes(png(number))
    fix = gone_wrong(tmp_path / "data", "4 files and no sub-folder")
    assert "into a sub-folder named after it" in fix
    for number in range(4):
        name = "ann" if number < 2 else "bob"
        (tmp_path / "data" / name).mkdir(exist_ok=True)
        (tmp_path / "data" / f"{number}.png").rename(tmp_path / "data" / name / f"{number}.png")
    assert snapshot(str(tmp_path / "data")).format == "folder"


@pytest.mark.parametrize("name", ["faces.npz", "faces.csv"])
def test_the_file_of_a_folder_is_given(name: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_bytes(b"x")
    (place,) = places_in(gone_wrong(tmp_path / "data", "no sub-folder"), tmp_path)
    assert snapshot(place).format == name.rpartition(".")[2]


@pytest.mark.parametrize(("form", "program"), [("zip", "python"), ("gztar", "tar")])
def test_an_archive_is_unpacked_by_the_command(form: str, program: str, tmp_path: Path) -> None:
    people(tmp_path, {"Ann": 2, "Bob": 2})
    archive = shutil.make_archive(str(tmp_path / "faces"), form, tmp_path / "data")
    fix = gone_wrong(archive, "is an archive, which is not read")
    command = re.search(rf"{program} .*? FOLDER", fix)
    assert command
    (tmp_path / "unpacked").mkdir()
    places = {"python": sys.executable, "FILE": archive, "FOLDER": str(tmp_path / "unpacked")}
    subprocess.run([places.get(word, word) for word in command[0].split()], check=True)
    assert len(snapshot(str(tmp_path / "unpacked")).files) == 4


def test_a_list_names_images_below_its_folder(tmp_path: Path) -> None:
    people(tmp_path, {"Ann": 2, "Bob": 2})
    (tmp_path / "lists").mkdir()
    listed = "file,label\n" + "".join(f"{n}/{i}.png,{n}\n" for n in ("Ann", "Bob") for i in (0, 1))
    (tmp_path / "lists" / "all.csv").write_text(listed)
    fix = gone_wrong(tmp_path / "lists" / "all.csv", "none of them is there")
    assert "put the images below it" in fix
    for name in ("Ann", "Bob"):
        (tmp_path / "data" / name).rename(tmp_path / "lists" / name)
    assert len(snapshot(str(tmp_path / "lists" / "all.csv")).files) == 5
    (tmp_path / "lists" / "all.csv").write_text(listed.replace(".png", ""))
    fix = gone_wrong(tmp_path / "lists" / "all.csv", "none of them is there")
    assert "with the ending of each file" in fix


def test_a_list_without_rows_gets_some(tmp_path: Path) -> None:
    people(tmp_path, {"Ann": 2, "Bob": 2})
    path = tmp_path / "data/all.csv"
    path.write_text("path,label\n")
    assert gone_wrong(path, "has titles and no rows") == "add a row for each image"
    path.write_text("path,label\nAnn/0.png,Ann\nBob/0.png,Bob\n")
    assert len(snapshot(str(path)).files) >= 3


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("1.jpg", "give the folder that holds a folder of images for each identity or class"),
        ("labels.xlsx", "a .csv file with the columns path and label"),
        ("labels.json", "a .csv file with the columns path and label"),
    ],
)
def test_a_file_that_is_no_data_leads_to_what_is(name: str, fix: str, tmp_path: Path) -> None:
    people(tmp_path, {"Ann": 20, "Bob": 20})
    (tmp_path / "data" / name).write_bytes(b"x")
    assert fix in gone_wrong(tmp_path / "data" / name, "of an unknown kind")
    names = [p.relative_to(tmp_path / "data") for p in sorted(tmp_path.glob("data/*/*.png"))]
    rows = ["path,label", *(f"{name},{name.parent}" for name in names)]
    (tmp_path / "data/list.csv").write_text("\n".join(rows))
    for given in ("./data", "./data/list.csv"):
        ingested({**BY_IMAGE, "data": given}, tmp_path)


def test_a_folder_of_pairs_gives_way_to_its_file(tmp_path: Path) -> None:
    (tmp_path / "lfw").mkdir()
    (tmp_path / "lfw" / "pairs.txt").write_text("1\t1\n")
    with pytest.raises(UserError, match="is a folder") as caught:
        snapshot_pairs(str(tmp_path / "lfw"))
    snapshot_pairs(str(edits(caught.value.fix)["pairs"]))


def test_a_place_in_a_bucket_is_found_by_its_listing(gcs: GcsServer) -> None:
    bucket = gcs.bucket("faces")
    for number in range(4):
        gcs.storage.write("faces", f"train/{number % 2}/{number}.png", png(number), {}, {})
    fix = gone_wrong("gs://faces/trian", "there is nothing under gs://faces/trian")
    command = re.search(r"gcloud storage ls (gs://faces)$", fix)
    assert command, fix
    (folder,) = {name.partition("/")[0] for name in bucket.objects}
    snapshot(f"{command[1]}/{folder}")


def test_an_object_and_a_folder_of_one_name_are_told_apart(gcs: GcsServer) -> None:
    gcs.bucket("faces")
    gcs.storage.write("faces", "all", b"x", {}, {})
    for number in range(4):
        gcs.storage.write("faces", f"all/{number % 2}/{number}.png", png(number), {}, {})
    fix = gone_wrong("gs://faces/all", "is an object and also")
    folder = re.search(r"write (\S+) for the folder", fix)
    assert folder
    assert len(snapshot(folder[1]).files) == 4


# idx files --------------------------------------------------------------------------------------


def idx(array: np.ndarray) -> bytes:
    shape = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes((0, 0, 8, array.ndim)) + shape + array.tobytes()


SOUND = {"train-images-idx3-ubyte": idx(IMAGES), "train-labels-idx1-ubyte": idx(LABELS)}
HALF = {name: data[: len(data) // 2] for name, data in SOUND.items()}
SWAPPED = dict(zip(SOUND, reversed(SOUND.values()), strict=True))


@pytest.mark.parametrize(
    ("files", "what", "advice"),
    [
        (HALF, "says 80 labels and holds", "fetch the file again"),
        ({**SOUND, "train-images-idx3-ubyte": HALF["train-images-idx3-ubyte"]},
         "says 80 images and ends after", "fetch or write the file again"),
        ({**SOUND, "train-labels-idx1-ubyte": idx(LABELS[:70])},
         "80 images and 70 labels", "fetch both files again"),
        (SWAPPED, "an idx file of bytes starts with", "name it after what it is"),
    ],
)  # fmt: skip
def test_idx_files_that_are_fetched_again(
    files: dict[str, bytes], what: str, advice: str, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    for name, data in files.items():
        (tmp_path / "data" / name).write_bytes(data)
    assert advice in refused(BY_IMAGE, tmp_path, what).fix
    for name, data in SOUND.items():
        (tmp_path / "data" / name).write_bytes(data)
    ingested(BY_IMAGE, tmp_path)


def test_the_labels_that_idx_images_lack_are_added(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    images, labels = SOUND
    (tmp_path / "data" / images).write_bytes(SOUND[images])
    fix = refused(BY_IMAGE, tmp_path, "has no file of labels beside it").fix
    name = re.fullmatch(r"add (\S+)", fix)
    assert name
    (tmp_path / "data" / name[1]).write_bytes(SOUND[labels])
    ingested(BY_IMAGE, tmp_path)


def test_the_number_of_pixels_that_large_images_need_is_set(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name, data in SOUND.items():
        (tmp_path / "data" / name).write_bytes(data)
    config = merged(BY_IMAGE, {"split": {"max_pixels": 60}})
    error = refused(config, tmp_path, "holds images of 8 x 8 pixels; at most 60 are read")
    assert "under split" in error.fix
    ingested(merged(config, {"split": edits(error.fix)}), tmp_path)


# csv files of pixels ----------------------------------------------------------------------------


def rows(images: np.ndarray = IMAGES, names: tuple[str, ...] = ("a", "b", "c", "d")) -> list[str]:
    return [
        ",".join(map(str, (*pixels.ravel(), names[label])))
        for pixels, label in zip(images, LABELS, strict=True)
    ]


TITLES = ",".join([*(f"pixel{n}" for n in range(64)), "label"])
Repair = Callable[[Path, str, dict[str, Any]], dict[str, Any]]


def in_another_encoding(path: Path) -> str:
    lines = [TITLES, *rows(names=("Zo\u00eb", "b", "c", "d"))]
    path.write_bytes("\n".join(lines).encode("latin1"))
    return "no text in UTF-8"


def with_iconv(path: Path, fix: str, config: dict[str, Any]) -> dict[str, Any]:
    command = re.search(r"(iconv .+?) > (\S+)", fix)
    assert command
    done = subprocess.run(shlex.split(command[1]), cwd=path.parent, capture_output=True, check=True)
    (path.parent / command[2]).write_bytes(done.stdout)
    return {**config, "data": f"./{command[2]}"}


def with_row_numbers(path: Path) -> str:
    numbered = [f"{number},{row}" for number, row in enumerate(rows())]
    path.write_text("\n".join([f",{TITLES}", *numbered]))
    return "a column without title"


def without_them(path: Path, fix: str, config: dict[str, Any]) -> dict[str, Any]:
    assert "leave it out" in fix
    lines = [line.partition(",")[2] for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines))
    return config


def with_two_labels(path: Path) -> str:
    path.write_text("\n".join([f"{TITLES},class", *(f"{row},x" for row in rows())]))
    return "2 columns that could be meant: label, class"


def one_renamed(path: Path, fix: str, config: dict[str, Any]) -> dict[str, Any]:
    kept = re.search(r"leave the title '(\w+)' as it is", fix)
    assert kept
    assert kept[1] == "label"
    lines = path.read_text().replace("label,class", "label,note").splitlines()
    path.write_text("\n".join(line.rpartition(",")[0] for line in lines))
    return config


def no_square(path: Path) -> str:
    images = IMAGES[:, :, :6]
    titles = ",".join([*(f"pixel{n}" for n in range(48)), "label"])
    path.write_text("\n".join([titles, *rows(images)]))
    return "48 values an image: no square, and not 8 x 8"


def of_its_size(path: Path, fix: str, config: dict[str, Any]) -> dict[str, Any]:
    keys = re.search(r"set image: \{(\w+), (\w+)\}", fix)
    assert keys
    return merged(config, {"image": dict(zip(keys.groups(), (8, 6), strict=True))})


def against_its_header(path: Path) -> str:
    path.write_text("\n".join([TITLES, *rows()]))
    return "label_column is first"


def as_the_header_says(path: Path, fix: str, config: dict[str, Any]) -> dict[str, Any]:
    assert "leave label_column out" in fix
    return {**config, "split": {"by": "image"}}


def with_decimal_commas(path: Path) -> str:
    lines = [line.replace(",", ";") for line in (TITLES, *rows())]
    lines[1:] = [re.sub(r"^\d+", "12,5", line) for line in lines[1:]]
    path.write_text("\n".join(lines))
    return "'12,5' is no number"


def with_points(path: Path, fix: str, config: dict[str, Any]) -> dict[str, Any]:
    """Do what the call of pandas in the fix does."""
    assert "read_csv(FILE, sep=';', decimal=',').to_csv(FILE, index=False)" in fix
    assert "give it as the data" not in fix
    path.write_text(path.read_text().replace(",", ".").replace(";", ","))
    return config


CSV: dict[str, tuple[Callable[[Path], str], Repair]] = {
    "another encoding": (in_another_encoding, with_iconv),
    "row numbers": (with_row_numbers, without_them),
    "two labels": (with_two_labels, one_renamed),
    "no square": (no_square, of_its_size),
    "decimal commas": (with_decimal_commas, with_points),
    "against its header": (against_its_header, as_the_header_says),
}


@pytest.mark.parametrize("name", CSV)
def test_what_an_error_of_a_csv_file_says_helps(name: str, tmp_path: Path) -> None:
    write, repair = CSV[name]
    path = tmp_path / "pixels.csv"
    what = write(path)
    config = {**BY_IMAGE, "data": "./pixels.csv"}
    if name == "against its header":
        config = merged(config, {"split": {"label_column": "first"}})
    fix = refused(config, tmp_path, what).fix
    ingested(repair(path, fix, config), tmp_path)


def test_a_list_of_files_is_begun_with_titles(tmp_path: Path) -> None:
    people(tmp_path, dict.fromkeys(("Ann", "Bob", "Cid", "Dan"), 12), "images")
    files = sorted((tmp_path / "images").rglob("*.png"))
    lines = [f"{path.relative_to(tmp_path)},{path.parent.name}" for path in files]
    (tmp_path / "all.csv").write_text("\n".join(lines))
    config = {**BY_IMAGE, "data": "./all.csv"}
    fix = refused(config, tmp_path, "names no column path").fix
    titles = re.search(r"a line of titles, one for each column: (\S+)", fix)
    assert titles
    (tmp_path / "all.csv").write_text("\n".join([titles[1], *lines]))
    ingested(config, tmp_path)


@pytest.mark.parametrize("name", ["x.npy", "x.mat", "x.h5", "d/data_batch_1", "d/x.pkl"])
def test_a_form_that_is_not_read_is_saved_as_one_that_is(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    given = path if path.parent == tmp_path else path.parent
    fix = gone_wrong(given, "which is not read")
    call = re.search(
        r"np\.savez_compressed\('([\w.]+)', images=np\.stack\(images\), labels=labels\)", fix
    )
    assert call
    np.savez_compressed(tmp_path / call[1], images=np.stack([*IMAGES]), labels=LABELS)
    ingested({**BY_IMAGE, "data": f"./{call[1]}"}, tmp_path)


@pytest.mark.parametrize("ending", ["tsv", "txt"])
def test_a_table_of_another_name_is_renamed_by_the_command(ending: str, tmp_path: Path) -> None:
    people(tmp_path, {"Ann": 20, "Bob": 20})
    path = tmp_path / "data" / f"list.{ending}"
    names = [p.relative_to(tmp_path / "data") for p in sorted(tmp_path.glob("data/*/*.png"))]
    path.write_text("\n".join(["path\tlabel", *(f"{name}\t{name.parent}" for name in names)]))
    fix = gone_wrong(path, "of an unknown kind")
    command = shlex.split(fix.partition("give it as .csv: ")[2])
    subprocess.run(command, check=True)
    ingested({**BY_IMAGE, "data": command[-1]}, tmp_path)
