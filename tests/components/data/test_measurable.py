"""The metric of the budget: refused before anything is trained where the data cannot give it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from components.artifacts.grouping import NO_GROUP, Grouping
from components.contract.errors import UserError
from components.data.measurable import check_measurable
from components.data.settings import CurationPlan
from pipelines.sources.snapshot import snapshot, stage
from tests.components.flat import ingest
from tests.data import images as files


def plan(**needs: object) -> CurationPlan:
    return CurationPlan(task="verification", **needs)  # type: ignore[arg-type]


def same(labels: np.ndarray, groups: np.ndarray | None = None, names: tuple[str, ...] = ()):
    """The same images select and are sealed."""
    rows = {} if groups is None else dict.fromkeys(("selection", "sealed"), groups)
    return dict.fromkeys(("selection", "sealed"), labels), Grouping(names, rows)


def test_ten_thousand_impostor_pairs_are_enough() -> None:
    few, many = np.arange(100).repeat(1), np.arange(144).repeat(1)
    with pytest.raises(UserError, match="10,000 impostor pairs are needed, and there are 4,950"):
        check_measurable(*same(few), plan(impostors_needed=True))
    assert check_measurable(*same(many), plan(impostors_needed=True)) == []
    assert check_measurable(*same(few), plan()) == []


@pytest.mark.parametrize(
    ("of_image", "ways"),
    [
        (None, 12),
        (np.repeat([0, 1], [16, 8]), 8),  # eight of one alphabet, four of the other
        (np.repeat([0, NO_GROUP], [10, 14]), 5),
    ],
)
def test_the_ways_that_the_fix_gives_are_there(of_image: np.ndarray | None, ways: int) -> None:
    labels = np.arange(12).repeat(2)
    given = same(labels, of_image, () if of_image is None else ("Greek", "Latin"))
    with pytest.raises(UserError, match="a trial of 20 ways needs 20") as caught:
        check_measurable(*given, plan(ways_needed=20))
    named = re.search(r"evaluate: \{ways: (\d+)\}", caught.value.fix)
    assert named
    assert int(named[1]) == ways
    assert check_measurable(*given, plan(ways_needed=ways)) == []


def test_where_no_trial_is_possible_another_metric_is_advised() -> None:
    with pytest.raises(UserError) as caught:
        check_measurable(*same(np.arange(6)), plan(ways_needed=3))
    assert caught.value.fix == "set budgets: {metric: auc}"


def test_a_metric_that_only_the_sealed_images_cannot_give_is_warned_of() -> None:
    labels = {"selection": np.arange(8).repeat(2), "sealed": np.arange(3).repeat(2)}
    (warning,) = check_measurable(labels, Grouping(), plan(ways_needed=4))
    assert warning.startswith("the sealed split gives no one_shot: a trial of 4 ways needs 4")
    assert "no release can qualify; set evaluate: {ways: 3}" in warning


def test_ingest_refuses_and_warns(tmp_path: Path) -> None:
    root = files.folder(tmp_path / "data", {f"p{number}": 6 for number in range(12)}, 8000)

    def ingested(name: str, **parameters: object) -> list[str]:
        path = tmp_path / name
        path.mkdir()
        stage(snapshot(str(root)), path / "source")
        settings = {"task": "verification", "height": 12, "width": 10, "channels": 1, **parameters}
        ingest(path / "source", path / "dataset", path / "sealed", path / "report", **settings)
        return json.loads((path / "report" / "ingest.json").read_text())["use"]["warnings"]

    shares = {"sealed_fraction": 0.2, "selection": 0.4, "validation": 0.2}
    with pytest.raises(UserError, match="the selection split gives no tar_1e3"):
        ingested("pairs", impostors_needed=True, **shares)
    (warning,) = ingested("sealed", ways_needed=4, **shares)
    assert warning.startswith("the sealed split gives no one_shot")
