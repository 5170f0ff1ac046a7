"""Fixes applied: what an error says to write is written, and the error is gone.

The edit is taken from the text of the fix, not from the test, so that a text that promises what
does not help fails here.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from components.contract.errors import UserError
from components.statistics.metrics import PRIMARY
from pipelines.cli.main import main
from pipelines.config.loading import load
from pipelines.config.parameters import offered
from tests.pipelines.applied import CONFIG, edits, ingested, merged, people, refused

# data --------------------------------------------------------------------------------------------


def few_people(folder: Path) -> dict[str, Any]:
    people(folder, {f"person{number}": 20 for number in range(5)})
    return CONFIG


def two_spellings(folder: Path) -> dict[str, Any]:
    people(folder, dict.fromkeys(("Ann", "ann", "Bob", "Cid", "Dan"), 12))
    return merged(CONFIG, {"split": {"by": "image"}})


def people_in_two_splits(folder: Path) -> dict[str, Any]:
    for split in ("train", "val", "test"):
        people(folder, dict.fromkeys(("Ann", "Bob", "Cid"), 6), f"data/{split}")
    return CONFIG


def one_folder_deeper(folder: Path) -> dict[str, Any]:
    people(folder, {f"Greek/character{number}": 20 for number in range(3)})
    people(folder, {f"Latin/character{number}": 20 for number in range(3)})
    return merged(CONFIG, {"split": {"by": "image"}})


def dark(folder: Path) -> dict[str, Any]:
    random = np.random.default_rng(0)
    images = random.integers(0, 17, (80, 8, 8), dtype=np.uint8)
    np.savez(folder / "data.npz", images=images, labels=np.arange(80) % 4)
    return merged(
        CONFIG, {"data": "./data.npz", "split": {"by": "image"}, "image": {"maximum": 4095}}
    )


def truth_values(folder: Path) -> dict[str, Any]:
    images = np.random.default_rng(0).integers(0, 2, (80, 8, 8)).astype(bool)
    np.savez(folder / "data.npz", images=images, labels=np.arange(80) % 4)
    return merged(CONFIG, {"data": "./data.npz", "split": {"by": "image"}})


def rows_without_titles(folder: Path) -> dict[str, Any]:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (80, 64))
    lines = [",".join(map(str, [*row, number % 4])) for number, row in enumerate(pixels)]
    (folder / "data.csv").write_text("\n".join(lines))
    return merged(CONFIG, {"data": "./data.csv", "split": {"by": "image"}})


def one_image_is_enough(folder: Path) -> dict[str, Any]:
    people(folder, {f"person{number}": 12 for number in range(4)})
    return merged(CONFIG, {"split": {"by": "image", "minimum_images": 1}})


def too_few_pairs(folder: Path) -> dict[str, Any]:
    people(folder, {f"person{number}": 6 for number in range(16)})
    return merged(CONFIG, {"budgets": {"metric": "tar_1e3"}})


def too_few_ways(folder: Path) -> dict[str, Any]:
    people(folder, {f"person{number}": 6 for number in range(16)})
    return merged(CONFIG, {"budgets": {"metric": "one_shot"}})


def eight_images_each(folder: Path) -> dict[str, Any]:
    """Each of the three splits that judge is too small: one edit says all of it."""
    people(folder, {f"class{number}": 8 for number in range(6)})
    return merged(CONFIG, {"split": {"by": "image"}})


def one_class_is_rare(folder: Path) -> dict[str, Any]:
    people(folder, {"sound": 97, "damaged": 4})
    shares = dict.fromkeys(("validation", "selection", "sealed"), 0.1)
    return merged(CONFIG, {"task": "classification", "split": {"by": "image", **shares}})


DATA: dict[str, tuple[Callable[[Path], dict[str, Any]], str]] = {
    "few people": (few_people, "too little data"),
    "two spellings": (two_spellings, "spelt in more than one way"),
    "people in two splits": (people_in_two_splits, "in two or more of the data's own splits"),
    "one folder deeper": (one_folder_deeper, "too little data"),
    "eight images each": (eight_images_each, "the sealed split of 7 images"),
    "one class is rare": (one_class_is_rare, "split of 10 images has 1 classes"),
    "dark": (dark, "nearly black"),
    "truth values": (truth_values, "nearly black"),
    "rows without titles": (rows_without_titles, "which column holds the label"),
    "too few pairs": (too_few_pairs, "the selection split gives no tar_1e3"),
    "too few ways": (too_few_ways, "the selection split gives no one_shot"),
    "one image is enough": (one_image_is_enough, "compares two images of an identity"),
}


@pytest.mark.parametrize("name", DATA)
def test_the_edit_that_an_error_of_the_data_gives_helps(name: str, tmp_path: Path) -> None:
    write, what = DATA[name]
    config = write(tmp_path)
    edit = edits(refused(config, tmp_path, what).fix)
    if edit.keys() <= {parameter.name for parameter in offered("ingest").parameters}:
        edit = {"split": edit}  # which the fix says as "under split"
    ingested(merged(config, edit), tmp_path)


RANDOM = np.random.default_rng(0)
LABELS = np.arange(80) % 4
IMAGES = RANDOM.integers(0, 256, (80, 8, 8), dtype=np.uint8)
ARRAYS: dict[str, dict[str, Any]] = {
    "one-hot": {"labels": np.eye(4)[LABELS]},
    "one-hot of integers": {"labels": np.eye(4, dtype=np.uint8)[LABELS]},
    "labels in a column of a block": {"labels": LABELS.reshape(80, 1, 1)},
    "fractions": {"labels": LABELS / 2},
    "complex labels": {"labels": LABELS.astype(np.complex64)},
    "objects": {"labels": np.array([f"class {label}" for label in LABELS], dtype=object)},
    "images as objects": {"images": np.array([*IMAGES, None], dtype=object)[:-1]},
    "Fortran order": {"images": np.asfortranarray(IMAGES)},
    "complex images": {"images": IMAGES.astype(np.complex64)},
}
CODE = re.compile(r"np\.\w+\(\w+[^;]*\)(?:\[1\])?(?:\.astype\('\w+'\))?|\w+(?:\.\w+\([^()]*\))+")


@pytest.mark.parametrize("name", ARRAYS)
def test_the_code_that_an_error_of_an_array_gives_helps(name: str, tmp_path: Path) -> None:
    arrays = {"images": IMAGES, "labels": LABELS, **ARRAYS[name]}
    np.savez(tmp_path / "data.npz", **arrays)
    config = merged(CONFIG, {"data": "./data.npz", "split": {"by": "image"}})
    error = refused(config, tmp_path, "data.npz")
    (wrong,) = ARRAYS[name]
    code = [found[0] for found in CODE.finditer(error.fix) if wrong in found[0]]
    assert code, error.fix
    if "images of one size" in error.fix and wrong == "images":
        code = [text for text in code if "stack" in text]
    arrays[wrong] = eval(code[0], {"np": np, **arrays})  # the fix is ours, and is to run
    np.savez(tmp_path / "data.npz", **arrays)
    ingested(config, tmp_path)


# configuration ----------------------------------------------------------------------------------

WRONG: dict[str, tuple[Mapping[str, Any], str]] = {
    "classes split from each other": (
        {"task": "classification", "split": {"by": "identity"}},
        "cannot be split",
    ),
    "a metric of the other task": (
        {"task": "classification", "budgets": {"metric": "auc"}},
        "no metric",
    ),
    "a misspelt key": ({"minimise": "size"}, "no key 'minimise'"),
    "a misspelt parameter": ({"split": {"subsett": 100}}, "subsett"),
    "a misspelt value": ({"minimize": "latencie"}, "minimize"),
    "a misspelt component": ({"variants": {"a": [{"quantise": {"scheme": "int8"}}]}}, "quantise"),
    "a name with blanks": ({"name": "My Faces"}, "no name"),
    "a step that is a word": ({"variants": {"a": ["quantize"]}}, "a step is one component"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_an_error_of_the_configuration_gives_helps(name: str, tmp_path: Path) -> None:
    change, what = WRONG[name]
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(merged(CONFIG, change)))
    with pytest.raises(UserError, match=what) as caught:
        load(path)
    path.write_text(repaired(path.read_text(), change, caught.value.fix))
    load(path)


@pytest.mark.parametrize("before", ["prune", "cluster"])
def test_the_method_that_keeps_weights_helps_where_tfmot_does_not(
    before: str, tmp_path: Path
) -> None:
    path = tmp_path / "own.yaml"
    for method in ("tfmot", "own"):
        steps = [{before: {}}, {"quantize_aware": {"method": method}}]
        path.write_text(yaml.safe_dump(merged(CONFIG, {"variants": {"a": steps}})))
        if method == "tfmot":
            with pytest.raises(UserError, match=f"does not keep what {before} made") as caught:
                load(path)
            assert "method: own" in caught.value.fix
    load(path)


def test_a_parameter_of_another_method_of_cluster_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    for given, right in (
        ({"bits": 3}, {"method": "grid"}), ({"clusters": 8, "method": "grid"}, {"method": "centroids"}),
    ):  # fmt: skip
        path.write_text(yaml.safe_dump(merged(CONFIG, {"variants": {"a": [{"cluster": given}]}})))
        with pytest.raises(UserError, match="alone has it") as caught:
            load(path)
        assert f"write method: {right['method']}" in caught.value.fix
        fixed = {"variants": {"a": [{"cluster": {**given, **right}}]}}
        path.write_text(yaml.safe_dump(merged(CONFIG, fixed)))
        load(path)


def repaired(text: str, change: Mapping[str, Any], fix: str) -> str:
    """Return the configuration with what a fix gives in the place of what is wrong."""
    given = yaml.safe_load(text)
    if meant := re.search(r"did you mean '(\w+)'\?|call it '([\w-]+)'", fix):
        wrong = re.findall(r"minimise|subsett|latencie|quantise|My Faces", str(change))[0]
        return text.replace(wrong, meant[1] or meant[2])
    if written := re.search(r"write it as (\{.*\})", fix):
        given["variants"] = {"a": [yaml.safe_load(written[1])]}
    elif listed := re.search(r"valid here: ([\w-]+)", fix):
        given["budgets"]["metric"] = listed[1]
    else:
        given["split"] = edits(fix)
    return yaml.safe_dump(given)


def test_the_metric_that_is_listed_is_one_of_the_task() -> None:
    assert PRIMARY["verification"] == "auc"


@pytest.mark.parametrize(
    "content", [None, "", "- a list\n"], ids=["missing", "empty", "no mapping"]
)
def test_the_command_that_writes_a_configuration_helps(
    content: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("own.yaml")
    if content is not None:
        path.write_text(content)
    assert main(["explain", str(path)]) == 2
    printed = capsys.readouterr()
    assert printed.err.count(str(path)) <= 2, "what is wrong is said once"
    if content == "- a list\n":
        line = re.search(r"`(name: \w+)`", printed.err)
        assert line
        path.write_text(f"{line[1]}\n")
        with pytest.raises(UserError, match="task is missing"):
            load(path)  # a mapping now, and the next fault is told
        return
    command = re.search(r"slimline (init \S+)", printed.err)
    assert command
    assert main(shlex.split(command[1])) == 0
    load(Path(command[1].split()[1]))
