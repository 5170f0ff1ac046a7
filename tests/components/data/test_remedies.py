"""What an error advises where most of a source cannot be used, done to images of that kind."""

from __future__ import annotations

import io
import re
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from components.artifacts.data_use import DataUse
from components.data.images_found import SourceImage
from components.data.remedies import remedy
from tests.pipelines.applied import CONFIG, edits, fix_of, ingested, merged, refused

BY_IMAGE = merged(CONFIG, {"split": {"by": "image"}, "task": "classification"})
RANDOM = np.random.default_rng(0)


def _encoded(pixels: np.ndarray, form: str, mode: str | None = None) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(file, form)
    return file.getvalue()


def _grey(side: int = 12, largest: int = 255, dtype: str = "uint8") -> np.ndarray:
    return RANDOM.integers(0, largest + 1, (side, side)).astype(dtype)


def _write(folder: Path, make: Callable[[], bytes]) -> None:
    for number in range(40):
        path = folder / "data" / "ab"[number % 2] / f"{number}.img"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make())


KINDS: dict[str, tuple[Callable[[], bytes], dict[str, Any]]] = {
    "range": (lambda: _encoded(_grey(), "PNG"), {"image": {"maximum": 16}}),
    "sixteen-bit": (lambda: _encoded(_grey(12, 65535, "uint16"), "PNG"), {}),
    "too-many-pixels": (lambda: _encoded(_grey(20), "PNG"), {"split": {"max_pixels": 300}}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_key_that_most_images_need_is_named_and_helps(kind: str, tmp_path: Path) -> None:
    make, change = KINDS[kind]
    _write(tmp_path, make)
    config = merged(BY_IMAGE, change)
    error = refused(config, tmp_path, f"40 {kind}: a/0.img")
    edit = edits(error.fix)
    ingested(merged(config, {"split": edit} if "max_pixels" in edit else edit), tmp_path)


FORMS: dict[str, tuple[Callable[[], bytes], str]] = {
    "cmyk": (lambda: _encoded(np.dstack([_grey()] * 3), "JPEG", "CMYK"), "save them as RGB"),
    "sixteen-bit": (
        lambda: b"P6 12 12 65535\n" + RANDOM.bytes(12 * 12 * 6), "save them with 8 bits a channel"),
    "not-an-image": (lambda: b"%PDF-" + RANDOM.bytes(40), "give images in their place: PNG, JPEG"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FORMS)
def test_the_form_that_most_images_need_is_named_and_helps(kind: str, tmp_path: Path) -> None:
    make, fix = FORMS[kind]
    _write(tmp_path, make)
    assert fix in refused(BY_IMAGE, tmp_path, f"40 {kind}: a/0.img").fix
    shutil.rmtree(tmp_path / "data")
    _write(tmp_path, lambda: _encoded(np.dstack([_grey()] * 3), "PNG"))
    ingested(BY_IMAGE, tmp_path)


def test_idx_files_and_arrays_below_are_given_as_the_data(tmp_path: Path) -> None:
    """As torchvision writes ``MNIST/raw``, and where an archive was unpacked into a folder."""
    raw = tmp_path / "data/MNIST/raw"
    raw.mkdir(parents=True)
    pixels = RANDOM.integers(0, 256, (60, 8, 8), dtype=np.uint8)
    labels = (np.arange(60) % 3).astype(np.uint8)
    head = struct.pack(">IIII", 0x803, 60, 8, 8), struct.pack(">II", 0x801, 60)
    (raw / "train-images-idx3-ubyte").write_bytes(head[0] + pixels.tobytes())
    (raw / "train-labels-idx1-ubyte").write_bytes(head[1] + labels.tobytes())
    for given in ("./data/MNIST", "./data"):
        fix = refused({**BY_IMAGE, "data": given}, tmp_path, "too little data").fix
        place = re.match(r"give the folder (\S+) in it as the data", fix)
        assert place
        ingested({**BY_IMAGE, "data": f"{given}/{place[1]}"}, tmp_path)
    shutil.rmtree(tmp_path / "data/MNIST")
    (tmp_path / "data/down").mkdir()
    np.savez(tmp_path / "data/down/d.npz", images=pixels, labels=labels)
    place = re.match(r"give the file (\S+) in it", refused(BY_IMAGE, tmp_path, "too little").fix)
    assert place
    ingested({**BY_IMAGE, "data": f"./data/{place[1]}"}, tmp_path)


def test_what_helps_the_few_that_are_not_used_is_said(tmp_path: Path) -> None:
    _write(tmp_path, lambda: _encoded(_grey(), "PNG"))
    for number in range(6):
        (tmp_path / f"data/a/deep{number}.png").write_bytes(
            _encoded(_grey(12, 65535, "uint16"), "PNG")
        )
    config = BY_IMAGE
    warnings: list[tuple[str, ...]] = []
    for change in ({}, {"image": {"maximum": 65535}}):
        ingested(merged(config, change), tmp_path)
        use = DataUse.read(tmp_path / f"run-{len(warnings)}/report")
        assert use
        warnings.append(use.warnings)
    (warning,) = warnings[0]
    assert "To use more of them, set image: {maximum: 65535}" in warning
    assert warnings[1] == ()


def test_a_list_among_the_images_is_given_as_the_data(tmp_path: Path) -> None:
    """As data sets for Hugging Face have it."""
    folder = tmp_path / "data/train"
    folder.mkdir(parents=True)
    for number in range(40):
        (folder / f"{number}.png").write_bytes(_encoded(_grey(), "PNG"))
    rows = [f"{number}.png,{'ab'[number % 2]}" for number in range(40)]
    (folder / "metadata.csv").write_text("\n".join(["file,label", *rows]))
    fix = refused(BY_IMAGE, tmp_path, "one, 'train', can be used").fix
    listed = re.match(r"if (\S+) lists the images and their labels, give it as the data", fix)
    assert listed
    ingested({**BY_IMAGE, "data": f"./data/{listed[1]}"}, tmp_path)


def test_a_part_that_no_image_holds_is_set_to_one_that_all_do(tmp_path: Path) -> None:
    _write(tmp_path, lambda: _encoded(_grey(), "PNG"))
    config = merged(BY_IMAGE, {"image": {"crop": [60, 60, 130, 130]}})
    fix = refused(config, tmp_path, "40 crop: a/0.img").fix
    assert fix.startswith("set crop: [top, left, height, width] under image")
    ingested(merged(BY_IMAGE, {"image": {"crop": [2, 2, 8, 8]}}), tmp_path)


def test_labels_in_the_names_of_files_are_listed(tmp_path: Path) -> None:
    """As in the cats and dogs of Kaggle: ``train/cat.0.jpg``."""
    (tmp_path / "data" / "train").mkdir(parents=True)
    rows = ["path,label"]
    for number in range(40):
        label = ("cat", "dog")[number % 2]
        (tmp_path / "data" / "train" / f"{label}.{number}.png").write_bytes(_encoded(_grey(), "PNG"))  # fmt: skip
        rows.append(f"train/{label}.{number}.png,{label}")
    fix = refused(BY_IMAGE, tmp_path, "one, 'train', can be used").fix
    titles = re.search(r"a \.csv file with the columns (\w+) and (\w+)", fix)
    assert titles
    assert rows[0] == ",".join(titles.groups())
    (tmp_path / "data" / "list.csv").write_text("\n".join(rows))
    ingested(merged(BY_IMAGE, {"data": "./data/list.csv"}), tmp_path)


@pytest.mark.parametrize("pattern", ["{kind}/{split}/{n}", "{split}/{kind}/{n}", "{kind}/{n}"])
def test_boxes_of_detection_are_named_and_a_list_of_labels_helps(
    pattern: str, tmp_path: Path
) -> None:
    rows = ["path,label"]
    for n in range(40):
        split = ("train", "val")[n % 2]
        names = {kind: pattern.format(kind=kind, split=split, n=n) for kind in ("images", "labels")}
        image, text = f"{names['images']}.png", f"{names['labels']}.txt"
        for name, content in ((image, _encoded(_grey(), "PNG")), (text, b"0 0.5 0.5 0.2 0.2\n")):
            (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "data" / name).write_bytes(content)
        rows.append(f"{image},{'ab'[n // 2 % 2]}")
    fix = fix_of(BY_IMAGE, tmp_path)
    assert "looks like the boxes of" in fix
    titles = re.search(r"a \.csv file with the columns (\w+) and (\w+)", fix)
    assert titles
    assert rows[0] == ",".join(titles.groups())
    (tmp_path / "data" / "list.csv").write_text("\n".join(rows))
    ingested(merged(BY_IMAGE, {"data": "./data/list.csv"}), tmp_path)


@pytest.mark.parametrize("split", [{}, {"labels": "path"}, {"groups": "folder"}])
def test_splits_below_labels_are_no_labels(split: dict[str, str], tmp_path: Path) -> None:
    for label in ("ant", "bee"):
        for home in ("train", "test"):
            (tmp_path / "data" / label / home).mkdir(parents=True)
            for number in range(20):
                content = _encoded(_grey(), "PNG")
                (tmp_path / "data" / label / home / f"{number}.png").write_bytes(content)
    config = merged(BY_IMAGE, {"split": split})
    moved = re.search(r"(\w+)/(\w+)/\S+ in place of (\w+)/(\w+)/", fix_of(config, tmp_path))
    assert moved
    assert (moved[1], moved[2]) == (moved[4], moved[3])
    for folder in sorted((tmp_path / "data").glob("*/*")):
        above = tmp_path / "new" / folder.name
        above.mkdir(parents=True, exist_ok=True)
        folder.rename(above / folder.parent.name)
    ingested(merged(BY_IMAGE, {"data": "./new"}), tmp_path)


def test_what_few_images_have_is_not_what_helps() -> None:
    sound = [SourceImage(f"a/{n}", f"a/{n}", "a", "x") for n in range(3)]
    bad = SourceImage("a/3", "a/3", "a", "", "cmyk: print colours")
    assert remedy([*sound, bad]) == ""
    assert remedy([*sound, bad, bad, bad]) == "save them as RGB"


def test_a_run_without_most_images_says_what_helps(tmp_path: Path) -> None:
    colours = [None, "CMYK", "CMYK"]
    modes = iter([mode for _ in range(20) for mode in (*colours, *colours)])
    _write(tmp_path, lambda: _encoded(np.dstack([_grey()] * 3), "JPEG", next(modes)))
    ingested(BY_IMAGE, tmp_path)
    use = DataUse.read(tmp_path / "run-0" / "report")
    assert use
    assert any(
        warning.endswith("To use more of them, save them as RGB") for warning in use.warnings
    )
