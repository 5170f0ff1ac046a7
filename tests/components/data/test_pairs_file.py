"""Files of pairs, through ingest: LFW's form and csv, what is sealed and what is refused."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from components.artifacts.dataset import Dataset
from components.artifacts.pair_list import PairList
from components.contract.errors import UserError
from pipelines.sources.snapshot import snapshot, snapshot_pairs, stage
from tests.components.flat import ingest
from tests.data.images import encoded, png, random_image

PEOPLE = {f"Person_{letter}": 3 for letter in "ABCDEFGHIJKL"} | {"Only_One": 1}
LFW = """2\t2
Person_A\t1\t2
Person_B\t1\t3
Person_A\t3\tPerson_C\t1
Person_B\t2\tOnly_One\t1
Person_D\t1\t2
Person_D\t2\t3
Person_C\t2\tPerson_D\t1
Person_A\t1\tPerson_D\t3
"""
NAMED = {"Person_A", "Person_B", "Person_C", "Person_D"}


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Folders as LFW has them."""
    seed = 0
    for person, count in PEOPLE.items():
        (tmp_path / "lfw" / person).mkdir(parents=True)
        for number in range(1, count + 1):
            seed += 1
            path = tmp_path / "lfw" / person / f"{person}_{number:04d}.png"
            path.write_bytes(png(seed))
    return tmp_path / "lfw"


def run(data: Path, text: str, name: str = "pairs.txt", **options: object) -> Path:
    """Ingest with a file of pairs and return the folder of the outputs."""
    root = data.parent
    (root / name).write_text(text)
    count = len(list(root.glob("out*")))
    out = root / f"out{count}"
    stage(snapshot(str(data)), out / "source")
    stage(snapshot_pairs(str(root / name)), out / "pairs")
    ingest(
        out / "source", out / "data", out / "sealed", out / "report", pairs=out / "pairs",
        **{"task": "verification", "height": 12, "width": 10, "channels": 1, **options},
    )  # fmt: skip
    return out


def labels_of(path: Path, split: str) -> set[str]:
    data = Dataset.open(path)
    return {data.info.classes[label] for label in data.labels(split)}


def test_what_the_pairs_show_is_sealed_and_nothing_else_is(faces: Path) -> None:
    out = run(faces, LFW)
    assert labels_of(out / "sealed", "sealed") == NAMED
    others = [labels_of(out / "data", split) for split in ("train", "validation", "selection")]
    assert set.union(*others) == PEOPLE.keys() - NAMED - {"Only_One"}


def test_pairs_lead_to_their_images_those_of_a_single_image_included(faces: Path) -> None:
    out = run(faces, LFW)
    found = PairList.read(out / "sealed")
    assert found is not None
    assert (found.name, found.folds.tolist()) == ("pairs.txt", [0] * 4 + [1] * 4)
    assert found.same.tolist() == [True, True, False, False] * 2
    first = Dataset.open(out / "sealed").images("sealed")
    known = {np.asarray(image).tobytes() for image in first}
    lone = [
        row
        for row in range(len(found.images))
        if found.images[row : row + 1].tobytes() not in known
    ]
    assert lone == [0], "images of no split come first"
    assert found.second[3] == 0, "Only_One"
    use = json.loads((out / "report" / "ingest.json").read_bytes())["use"]
    assert use["used"] == 37


def test_a_csv_of_paths_says_the_same(faces: Path) -> None:
    rows = [line.split("\t") for line in LFW.splitlines()[1:]]
    lines = ["first,second,same,fold"]
    for number, row in enumerate(rows):
        other = row[0] if len(row) == 3 else row[2]
        paths = (
            f"{name}/{name}_{int(image):04d}.png"
            for name, image in ((row[0], row[1]), (other, row[-1]))
        )
        lines.append(f"{','.join(paths)},{int(len(row) == 3)},{number // 4}")
    one = PairList.read(run(faces, LFW) / "sealed")
    other = PairList.read(run(faces, "\n".join(lines), "pairs.csv") / "sealed")
    assert one is not None
    assert other is not None
    for name in ("images", "first", "second", "same", "folds"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


@pytest.mark.parametrize(
    ("wrong", "right", "what"),
    [
        ("Person_D\t2\t3", "Person_D\t2\t3", ""),
        ("Person_D\t2\t9", "Person_D\t2\t3", "names 1 image that is not in the data"),
        ("Person_D\t2\tx", "Person_D\t2\t3", "pair 6: 'Person_D 2 x' is not name i j"),
    ],
)
def test_a_wrong_line_is_named_and_correcting_it_helps(
    faces: Path, wrong: str, right: str, what: str
) -> None:
    text = LFW.replace("Person_D\t2\t3", wrong)
    if what:
        with pytest.raises(UserError, match=what):
            run(faces, text)
    run(faces, text.replace(wrong, right))


@pytest.mark.parametrize(
    ("first", "what"),
    [
        ("3\t2", "has 8 pairs; its first line says 3 x 2 x 2 = 12"),
        ("Person_A\t1\t2", "begins with"),
    ],
)
def test_the_first_line_counts_folds_and_pairs(faces: Path, first: str, what: str) -> None:
    with pytest.raises(UserError, match=what):
        run(faces, LFW.replace("2\t2", first, 1))
    run(faces, LFW)


def test_a_split_of_the_data_that_trains_on_a_pair_is_refused_until_it_is_moved(
    faces: Path,
) -> None:
    for folder in sorted(faces.iterdir()):
        home = "test" if folder.name in NAMED - {"Person_D"} | {"Only_One"} else "train"
        (faces / home).mkdir(exist_ok=True)
        folder.rename(faces / home / folder.name)
    with pytest.raises(UserError, match="not in the data's own test split: 'Person_D' in train"):
        run(faces, LFW)
    (faces / "train" / "Person_D").rename(faces / "test" / "Person_D")
    assert labels_of(run(faces, LFW) / "sealed", "sealed") == NAMED


def test_an_image_of_which_there_are_two_is_asked_for_by_its_path(faces: Path) -> None:
    """LFW's form names no ending; a csv file does."""
    twin = faces / "Person_A" / "Person_A_0001.bmp"
    twin.write_bytes(encoded(random_image(999), "BMP"))
    both = r"Person_A/Person_A_0001 \(could be \S+0001.bmp or \S+0001.png\)"
    with pytest.raises(UserError, match=both) as caught:
        run(faces, LFW)
    titles = re.search(r"a csv file of the columns (\S+)\)", caught.value.fix)
    assert titles
    listed = [f"Person_{a}/Person_{a}_0001.png,Person_{b}/Person_{b}_0002.png,{int(a == b)}"
              for a, b in ("AA", "BB", "AC", "BD")]  # fmt: skip
    run(faces, "\n".join([titles[1], *listed]), "pairs.csv")
    twin.unlink()
    run(faces, LFW)


def test_pairs_that_leave_too_few_to_compare_lead_to_pairs_of_others(faces: Path) -> None:
    text = "1\t1\nPerson_A\t1\t2\nPerson_A\t1\tOnly_One\t1\n"
    with pytest.raises(UserError, match="sealed split of 3 images has 1 identities") as caught:
        run(faces, text)
    assert caught.value.fix == (
        "list pairs of more identities with 2 different images or more each"
    )
    run(faces, "1\t1\nPerson_A\t1\t2\nPerson_A\t1\tPerson_B\t1\n")


def test_a_csv_whose_columns_are_called_otherwise_is_given_titles(faces: Path) -> None:
    rows = "".join(
        f"Person_A/Person_A_0001.png,Person_{who}/Person_{who}_000{number}.png,{same}\n"
        for who, number, same in (("A", 2, 1), ("B", 1, 0))
    )
    with pytest.raises(UserError, match="begins with file1,file2,label") as caught:
        run(faces, f"file1,file2,label\n{rows}", "pairs.csv")
    titles = caught.value.fix.rpartition(": ")[2]
    run(faces, f"{titles}\n{rows}", "pairs.csv")


def test_a_csv_without_folds_is_dealt_into_ten(faces: Path) -> None:
    images = [f"Person_{a}/Person_{a}_{n:04d}.png" for a in "ABCD" for n in (1, 2, 3)]
    couples = list(combinations(images, 2))
    same = [pair for pair in couples if pair[0][:8] == pair[1][:8]]
    different = [pair for pair in couples if pair not in same][:12]
    listed = [f"{','.join(pair)},{int(pair in same)}" for pair in (*same, *different)]
    found = PairList.read(run(faces, "\n".join(["first,second,same", *listed]), "p.csv") / "sealed")
    assert found is not None
    assert found.same.tolist() == [True] * 12 + [False] * 12
    assert found.folds.tolist() == [number % 10 for number in range(12)] * 2


LISTED = ["first,second,same,fold", *(
    f"Person_{a}/Person_{a}_0001.png,Person_{b}/Person_{b}_0002.png,{int(a == b)},{fold}"
    for a, b, fold in (("A", "A", "x"), ("A", "B", "x"), ("C", "C", "y"), ("C", "D", "y"))
)]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "wrong", "what", "fix"),
    [
        (1, None, "lists no pairs", "add pairs to pairs.csv"),
        (2, LISTED[2].replace(",0,", ",perhaps,"), "pair 2: .* does not fit", "correct that line"),
        (3, f"{LISTED[3]},1", "pair 3: .* does not fit", "correct that line"),
        (4, LISTED[4].replace(",y", ",x"), "fold y has only pairs of the same", "both kinds"),
    ],
)
def test_a_wrong_row_of_a_csv_file_is_named_and_correcting_it_helps(
    faces: Path, line: int, wrong: str | None, what: str, fix: str
) -> None:
    lines = LISTED[:line] if wrong is None else [*LISTED[:line], wrong, *LISTED[line + 1 :]]
    with pytest.raises(UserError, match=what) as caught:
        run(faces, "\n".join(lines), "pairs.csv")
    assert fix in caught.value.fix
    run(faces, "\n".join(LISTED), "pairs.csv")
