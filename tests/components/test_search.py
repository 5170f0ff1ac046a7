"""Search: the front it finds, what it never trains, and the student and file that come of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.artifacts.cost_model import CostModel, TimedSample, fits_of
from components.artifacts.lite_model import LiteModelInfo
from components.artifacts.search_front import SearchFront
from components.contract.errors import UserError
from components.search_page import search_page
from pipelines.runs.cache import Cache
from pipelines.runs.records import read_run
from pipelines.stores.opening import open_store
from tests.components.flat import flat
from tests.pipelines.cli.command_line import slimline, written

LIMIT = 6_000  # bytes: some of the space keep it, some do not
SPACE: dict[str, Any] = {
    "backbone": ["conv"],
    "alpha": [0.125, 0.25, 0.5, 1.0],
    "depth": [1.0],
    "embedding": [8],
    "views": 1,
    "augment": "none",
}


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cost model of networks that were counted, with times and sizes by a law with noise."""
    import numpy as np

    from components.ml.runtime import configure
    from components.ml.techniques.cost_sampling import drawn
    from components.ml.techniques.search_settings import SearchSpace

    configure(threads=2, seed=0)  # as the search does later, which could not change it
    random = np.random.default_rng(0)
    space = SearchSpace(backbone=["conv"], alpha=[0.125, 1.0], depth=[1.0], embedding=[8])
    timed = tuple(
        TimedSample(
            name=str(place),
            counts=one.counts,
            latency_ms=law(one.counts) * random.lognormal(0, 0.03),
            low_ms=0.0,
            high_ms=1.0,
            size_bytes=round(1500 + 1.01 * one.counts["int8_bytes"] + 150 * one.counts["kernels"]),
            verdict="stable",
            evidence="made up",
        )
        for place, one in enumerate(drawn(space, 12, (8, 8, 1), "verification", seed=0))
    )
    latency, size = fits_of(timed)
    folder = tmp_path_factory.mktemp("costs")
    CostModel("host", {}, 1, "int8", timed, {}, latency, size).write(folder)
    return folder


def law(counts: Any) -> float:
    return 0.003 + 1.65e-9 * counts["macs"] + 1.2e-7 * counts["activations"]


@pytest.fixture(scope="module")
def searching(pattern_pairs: Path, pattern_verifier: Path, costs: Path) -> Callable[..., None]:
    """The component with its inputs, and settings that are quick."""

    def run(front: Path, teacher: Path | None = pattern_verifier, **given: Any) -> None:
        settings = {"candidates": 2, "steps": [2, 4], "size_mb": LIMIT / 1e6, "drop": 0.9}
        flat("search")(pattern_pairs, teacher, [costs], front, **{**SPACE, **settings, **given})

    return run


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, searching: Callable[..., None]) -> Path:
    folder = tmp_path_factory.mktemp("search") / "front"
    searching(folder)
    return folder


def trained_outside(path: Path) -> list[str]:
    """Architectures of more weights than the budget has bytes, that were trained all the same."""
    read = SearchFront.read(path)
    return [one.name for one in read.architectures if one.counts["parameters"] > LIMIT]


def test_the_same_seed_gives_the_same_front(
    found: Path, searching: Callable[..., None], tmp_path: Path
) -> None:
    searching(tmp_path / "again")
    assert (tmp_path / "again" / SearchFront.FILE).read_bytes() == (
        found / SearchFront.FILE
    ).read_bytes()


def test_the_front_is_what_nothing_beats_and_the_smallest_that_keeps_the_drop_is_taken(
    found: Path,
) -> None:
    read = SearchFront.read(found)
    assert [len(one.trainings) for one in read.architectures] == [2, 2]
    assert read.teacher is not None
    assert all(one.keeps_drop for one in read.front)
    assert read.taken == min(read.front, key=lambda one: one.size_bytes)
    assert "smallest" in read.why
    best = max(read.architectures, key=lambda one: one.metric)
    assert best.on_front or any(one.metric == best.metric for one in read.front)


def test_what_is_outside_the_budgets_is_never_trained(found: Path) -> None:
    read = SearchFront.read(found)
    assert trained_outside(found) == []
    assert read.asked == read.outside + read.repeated + len(read.architectures)
    assert all(one.size_bytes <= LIMIT for one in read.architectures)


def test_of_a_constant_cost_model_that_is_seen(
    searching: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutation: everything seems small, so the check above turns red."""
    monkeypatch.setattr(CostModel, "size_bytes", lambda *_: 1000.0)
    searching(tmp_path / "front", None, candidates=6, steps=[1], depth=[1.0])
    read = SearchFront.read(tmp_path / "front")
    assert trained_outside(tmp_path / "front")
    assert read.teacher is None  # and it goes without a teacher, on labels
    assert "no teacher" in read.why


def test_costs_of_networks_that_were_not_timed_are_in_order(
    costs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from components.ml.techniques.cost_sampling import drawn
    from components.ml.techniques.search_settings import SearchSpace
    from components.statistics.linear_fit import rank_correlation

    model, space = CostModel.read(costs), SearchSpace(backbone=["conv"], depth=[1.0, 2.0])
    unseen = drawn(space, 12, (8, 8, 1), "verification", seed=7)
    times = [law(one.counts) for one in unseen]

    def correlation() -> float:
        return rank_correlation([model.latency_ms(one.counts) for one in unseen], times)

    assert correlation() > 0.9
    monkeypatch.setattr(CostModel, "latency_ms", lambda *_: 0.004)
    assert correlation() < 0.9


def test_where_nothing_keeps_the_budgets_the_fix_says_what_would(
    searching: Callable[..., None], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="none of 80 proposals keeps the budgets") as caught:
        searching(tmp_path / "none", size_mb=0.001)
    assert "write size_mb: " in caught.value.fix
    enough = float(caught.value.fix.split("size_mb: ")[1].split()[0])
    searching(tmp_path / "front", None, size_mb=enough, steps=[1])
    assert SearchFront.read(tmp_path / "front").architectures


def test_where_both_budgets_are_missed_the_fix_names_both(
    searching: Callable[..., None], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"% above size_mb and \d+% above latency_ms") as caught:
        searching(tmp_path / "none", size_mb=0.001, latency_ms=0.0001)
    given = {
        name: float(caught.value.fix.split(f"{name}: ")[1].split()[0])
        for name in ("size_mb", "latency_ms")
    }
    searching(tmp_path / "front", None, steps=[1], **given)
    assert SearchFront.read(tmp_path / "front").architectures


def test_an_architecture_whose_training_comes_apart_is_never_taken(
    found: Path, searching: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The smallest one, which nothing beats in size: no metric keeps it on the front by that."""
    from components.ml.training import loop
    from components.ml.training.ruin import RuinedError

    whole, fit = SearchFront.read(found), loop.fit
    smallest = whole.architectures[0]

    def ruined(model: Any, *rest: Any) -> Any:
        if model.count_params() <= smallest.counts["parameters"] * 1.1:
            raise RuinedError(1, None, "training came apart in epoch 1: the loss is nan", "lower")
        return fit(model, *rest)

    monkeypatch.setattr(loop, "fit", ruined)
    searching(tmp_path / "front")
    read = SearchFront.read(tmp_path / "front")
    fallen = next(one for one in read.architectures if one.name == smallest.name)
    assert [each.fault for each in fallen.trainings] == [
        "training came apart in epoch 1: the loss is nan"
    ]
    assert not fallen.on_front
    assert read.chosen != fallen.name
    search_page(tmp_path / "front", tmp_path / "page.html")
    assert "not drawn: training came apart" in (tmp_path / "page.html").read_text()


def test_where_every_training_comes_apart_nothing_is_taken(
    searching: Callable[..., None], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="the training of every architecture came apart") as caught:
        searching(tmp_path / "none", None, learning_rate=1e30)
    rate = float(caught.value.fix.split("such as ")[1])
    searching(tmp_path / "front", None, learning_rate=rate, steps=[1])
    assert SearchFront.read(tmp_path / "front").front


def test_a_setting_that_cannot_be_is_refused_and_not_taken_for_a_ruined_training(
    searching: Callable[..., None], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="class_weight balanced is for classification") as caught:
        searching(tmp_path / "front", None, class_weight="balanced")
    assert caught.value.fix == "leave class_weight away"


def test_hints_are_refused(searching: Callable[..., None], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="every architecture has others") as caught:
        searching(tmp_path / "front", hint_weight=1.0)
    assert "set hint_weight: 0" in caught.value.fix


def test_a_student_of_a_search_needs_its_report(
    pattern_pairs: Path, pattern_verifier: Path, found: Path, tmp_path: Path
) -> None:
    ends = (tmp_path / "model", tmp_path / "report")
    with pytest.raises(UserError, match="no report of one") as caught:
        flat("distill")(pattern_pairs, pattern_verifier, *ends, architecture="search", epochs=1)
    assert "give --front" in caught.value.fix
    flat("distill")(
        pattern_pairs, pattern_verifier, *ends, found, architecture="search", epochs=1, views=1
    )
    report, taken = json.loads((ends[1] / "training.json").read_bytes()), SearchFront.read(found)
    assert report["architecture"] == taken.chosen
    assert report["parameters"]["alpha"] == taken.taken.network["alpha"]
    step = json.loads((ends[0] / "model.json").read_bytes())["steps"][-1]
    assert (step["architecture"], step["backbone"]) == (taken.chosen, "conv")


def test_the_page_shows_the_front(found: Path, tmp_path: Path) -> None:
    search_page(found, tmp_path / "page.html")
    page, read = (tmp_path / "page.html").read_text(), SearchFront.read(found)
    assert page.count("<svg") == 2
    for one in read.architectures:
        assert one.name in page
    assert read.why in page
    assert "<script" not in page


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A whole run from the command line: its folder, and what it printed."""
    folder = tmp_path_factory.mktemp("searched")
    written(
        folder / "searched.yaml",
        name="searched",
        store="st",
        search={**SPACE, "candidates": 4, "steps": [4, 8], "cost_networks": 8},
        variants={
            "searched": [
                {"distill": {"architecture": "search", "epochs": 1, "views": 1, "augment": "none"}},
                {"quantize": {"scheme": "int8"}},
            ]
        },
        devices=[{"kind": "host", "processes": 1, "blocks": 2, "block_ms": 2.0, "warm_up_ms": 2.0}],
        budgets={"size_mb": LIMIT / 1e6, "metric": "auc", "drop": 0.9},
    )
    done = slimline("run", "searched.yaml", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_a_run_finds_a_student_whose_file_keeps_the_budget(
    ran: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder, shown = ran
    store = open_store(str(folder / "st"))
    cache, record = Cache(store, tmp_path), read_run(store, shown["run"])
    steps = record.steps
    assert {"cost-samples", "cost-model-host", "search", "search-page", "distill-search"} <= set(
        steps
    )
    front = SearchFront.from_json(
        json.loads(cache.read_file(steps["search"]["outputs"]["front"], SearchFront.FILE))
    )
    costs = json.loads(
        cache.read_file(steps["cost-model-host"]["outputs"]["report"], CostModel.FILE)
    )
    assert len(costs["samples"]) == front.errors["host"].samples == 8
    assert front.errors["host"].size_error < 0.1
    lite = json.loads(
        cache.read_file(steps["convert-searched"]["outputs"]["lite"], LiteModelInfo.FILE)
    )
    assert lite["size_bytes"] <= LIMIT
    assert lite["size_bytes"] == pytest.approx(front.taken.size_bytes, rel=0.1)
    assert lite["steps"][-2]["architecture"] == front.chosen
    report = (folder / "slimline-out" / "searched" / "report.html").read_text()
    assert "Architecture search" in report
    assert front.chosen in report


def test_the_samples_are_int8_files_of_the_space(
    ran: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    from components.artifacts.cost_samples import CostSamples
    from components.ml.lite.flatbuffer import LiteFile

    store = open_store(str(ran[0] / "st"))
    tree = read_run(store, ran[1]["run"]).steps["cost-samples"]["outputs"]["samples"]
    folder = Cache(store, tmp_path / "work").stage(tree, tmp_path / "samples")
    read = CostSamples.read(folder)
    assert (read.image, read.scheme, len(read.samples)) == ((8, 8, 1), "int8", 8)
    for sample in read.samples:
        assert sample.network["backbone"] == "conv"
        assert 0.125 <= sample.network["alpha"] <= 1.0
        content = (folder / sample.name / "model.tflite").read_bytes()
        assert LiteFile.parse(content).float_operators == ()
        info = LiteModelInfo.read(folder / sample.name)
        assert info.size_bytes == len(content) > sample.counts["parameters"]
        assert info.quantization is not None
        assert info.quantization.scheme == "int8"


def test_a_second_run_measures_and_searches_nothing_again(
    ran: tuple[Path, dict[str, Any]],
) -> None:
    again = slimline("explain", "searched.yaml", "--json", cwd=ran[0], check=0)
    listed = json.loads(again.stdout)["steps"]
    assert listed
    assert {step["state"] for step in listed} == {"cached"}
