"""Answers of a teacher that ran elsewhere: what a file of them must hold."""

import re
import zipfile

import numpy as np
import pytest

from components.artifacts.answers import GivenAnswers
from components.artifacts.dataset import write_dataset
from components.contract.errors import UserError
from pipelines.sources.snapshot import snapshot_answers, stage

PATHS = np.array([f"{name}/{number}.png" for name in ("cat", "dog") for number in range(3)])
OUTPUTS = np.arange(12, dtype=np.float64).reshape(6, 2)
RIGHT = {"paths": PATHS, "outputs": OUTPUTS}


@pytest.fixture
def read(tmp_path):
    def run(**arrays):
        np.savez(tmp_path / "answers.npz", **arrays)
        folder = tmp_path / f"staged-{len(list(tmp_path.iterdir()))}"
        stage(snapshot_answers(str(tmp_path / "answers.npz")), folder)
        return GivenAnswers.read(folder)

    return run


@pytest.fixture
def data(tmp_path):
    """Six images, two a split, listed in another order than the answers."""
    splits = ("train", "validation", "selection")
    pixels, labels = np.zeros((2, 4, 4, 1), np.uint8), np.array([1, 0])
    manifest = [
        {"name": PATHS[file], "split": split, "index": row, "records": None}
        for split, files in zip(splits, ((5, 0), (4, 1), (3, 2)), strict=True)
        for row, file in enumerate(files)
    ]
    return write_dataset(
        tmp_path / "data", dict.fromkeys(splits, (pixels, labels)),
        task="classification", classes=["cat", "dog"], manifest=manifest,
    )  # fmt: skip


def test_answers_come_in_the_order_of_a_split_and_of_its_classes(read, data):
    given = read(**RIGHT)
    given.check(data)
    np.testing.assert_array_equal(given.of(data, "validation"), OUTPUTS[[4, 1]])
    turned = read(**RIGHT, classes=np.array(["dog", "cat"]))
    turned.check(data)
    np.testing.assert_array_equal(turned.of(data, "train"), OUTPUTS[[5, 0]][:, ::-1])
    assert read(**{**RIGHT, "paths": np.char.add("./", PATHS)}).rows == given.rows


def test_one_number_tells_two_classes_apart(read, data):
    share = np.linspace(0, 1, 6)[:, None]
    second = read(paths=PATHS, outputs=share)
    second.check(data)
    both = np.hstack([1 - share, share])
    np.testing.assert_allclose(second.of(data, "train"), both[[5, 0]], atol=1e-6)
    first = read(paths=PATHS, outputs=share, classes=np.array(["cat"]))
    first.check(data)
    np.testing.assert_allclose(first.of(data, "train"), both[[5, 0]][:, ::-1], atol=1e-6)


def test_one_number_that_is_no_probability_is_refused_and_the_fix_works(read, data):
    outputs = np.linspace(-3, 3, 6)[:, None]
    with pytest.raises(UserError, match=r"no probability of .dog.: cat/0\.png, ") as caught:
        read(paths=PATHS, outputs=outputs).check(data)
    code = re.search(r"outputs = (1 / .*\(-outputs\)\))", caught.value.fix).group(1)
    read(paths=PATHS, outputs=eval(code, {"np": np, "outputs": outputs})).check(data)


FAULTS = {
    "and no outputs": {"paths": PATHS},
    "paths of 5 <U9 and outputs of 6 x 2": {**RIGHT, "paths": PATHS[:5]},
    "more than once": {**RIGHT, "paths": PATHS[[0, 0, 1, 2, 3, 4]]},
    "1 answers are not finite: cat/0.png": {
        **RIGHT, "outputs": np.where(OUTPUTS == 0, np.nan, OUTPUTS),
    },
    "names 1 classes for 2 numbers": {**RIGHT, "classes": np.array(["cat"])},
}  # fmt: skip


@pytest.mark.parametrize("said", FAULTS)
def test_a_file_that_is_not_laid_out_so_is_refused(said, read):
    with pytest.raises(UserError) as caught:
        read(**FAULTS[said])
    assert said in caught.value.what
    read(**RIGHT)


OBJECTS = {
    "paths": PATHS.astype(object),
    "outputs": np.array([*map(list, OUTPUTS), None], dtype=object)[:-1],
    "classes": np.array(["dog", "cat"], dtype=object),
}
"""As columns of pandas are saved."""


@pytest.mark.parametrize("key", OBJECTS)
def test_columns_of_objects_are_saved_as_their_error_says(key, read):
    with pytest.raises(UserError, match=f"{key} holds Python objects") as caught:
        read(**{**RIGHT, key: OBJECTS[key]})
    code = re.search(r"save (np\.array\(.+\)) in its place", caught.value.fix).group(1)
    given = read(**{**RIGHT, key: eval(code, {"np": np, **OBJECTS})})
    np.testing.assert_array_equal(given.outputs_nd, OUTPUTS)
    assert list(given.rows) == PATHS.tolist()


@pytest.mark.parametrize("member", ["paths.npy", "outputs.npy"])
def test_a_packed_file_with_damaged_bytes_is_refused(member, tmp_path):
    path = tmp_path / "answers.npz"
    np.savez_compressed(path, **RIGHT)
    with zipfile.ZipFile(path) as archive:
        at = archive.getinfo(member).header_offset + 30 + len(member)
    content = bytearray(path.read_bytes())
    content[at + 20 : at + 60] = b"\xff" * 40  # behind what numpy adds to the header
    path.write_bytes(content)
    stage(snapshot_answers(str(path)), tmp_path / "staged")
    with pytest.raises(UserError, match="cannot be read as arrays of numpy"):
        GivenAnswers.read(tmp_path / "staged")


MISFITS = {
    "no answer for 2 of 6 images": {"paths": PATHS[:4], "outputs": OUTPUTS[:4]},
    "differ: cow, dog": {**RIGHT, "classes": np.array(["cat", "cow"])},
    "differ: cow": {"paths": PATHS, "outputs": OUTPUTS[:, :1] / 12, "classes": np.array(["cow"])},
    "answers with 3 scores": {**RIGHT, "outputs": np.zeros((6, 3))},
}


@pytest.mark.parametrize("said", MISFITS)
def test_answers_that_do_not_fit_the_data_are_refused(said, read, data):
    with pytest.raises(UserError) as caught:
        read(**MISFITS[said]).check(data)
    assert said in caught.value.what
    read(**RIGHT).check(data)


def test_what_is_no_file_of_answers_is_refused(tmp_path):
    (tmp_path / "answers.csv").write_text("a,b")
    with pytest.raises(UserError, match="are no answers"):
        snapshot_answers(str(tmp_path / "answers.csv"))


def test_answers_too_large_are_written_shorter(read, monkeypatch):
    monkeypatch.setattr("components.artifacts.answers._MOST_BYTES", 530)
    with pytest.raises(UserError, match="unpacks to 568 bytes; at most 530") as caught:
        read(**RIGHT)
    assert "write outputs as float16" in caught.value.fix
    assert read(**{**RIGHT, "outputs": OUTPUTS.astype(np.float16)}).rows


def test_answers_to_records_need_images_as_files(read, data, tmp_path):
    arrays = {split: (data.images(split), data.labels(split)) for split in data.info.splits}
    line = {"name": "data.npz", "split": None, "index": None, "records": {"used": 6}}
    settings = {"task": "classification", "classes": ["cat", "dog"]}
    records = write_dataset(tmp_path / "records", arrays, manifest=[line], **settings)
    with pytest.raises(UserError, match=r"images of data\.npz have none of their own") as caught:
        read(**RIGHT).check(records)
    assert "give the images as files" in caught.value.fix
    read(**RIGHT).check(data)
