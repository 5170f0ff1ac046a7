"""What a configuration says of a search that cannot be, and the fix that it gives applied."""

import importlib.metadata
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.contract import images
from components.contract.errors import UserError
from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.engines.engine import Cluster
from pipelines.engines.opening import Request, choose
from pipelines.stores.opening import open_store

FACES: dict[str, Any] = {
    "name": "faces",
    "task": "verification",
    "data": "./data",
    "image": {"height": 32, "width": 24, "channels": 1},
    "teacher": {"backbone": "conv"},
    "variants": {
        "searched": [{"distill": {"architecture": "search"}}, {"quantize": {"scheme": "int8"}}]
    },
    "search": {"candidates": 4},
    "budgets": {"size_mb": 0.05},
}


def config(search: dict[str, Any] | None = None, **top: Any) -> dict[str, Any]:
    made = {**deepcopy(FACES), **top}
    return made if search is None else {**made, "search": search}


def loaded(given: dict[str, Any], folder: Path) -> Any:
    file = folder / "my.yaml"
    file.write_text(yaml.safe_dump(given))
    return load(file)


GIVEN = {"student": [{"distill": {"backbone": "conv"}}]}
PHONE = ["host", {"kind": "adb", "serial": "R5CT", "name": "s21"}]
ANSWERS = {"outputs": "./answers.npz"}
CLASSES = {"task": "classification"}

CASES: dict[str, tuple[dict[str, Any], str, str, dict[str, Any]]] = {
    "nobody takes it": (
        config(variants=GIVEN), "search: no variant takes what it finds",
        "{distill: {architecture: search}}, or remove search",
        config(variants={**GIVEN, **FACES["variants"]}),
    ),
    "there is none": (
        {key: value for key, value in FACES.items() if key != "search"},
        "variants.searched takes an architecture that a search found, and there is no search",
        "write search: {candidates: 30} at the top", config({"candidates": 30}),
    ),
    "no budgets": (
        config(budgets={"drop": 0.02}), "neither a size nor a latency",
        "write budgets: {size_mb: 0.05}", config(budgets={"size_mb": 0.05}),
    ),
    "a latency of a phone alone": (
        config(budgets={"devices": {"s21": {"latency_ms": 9}}, "drop": 0.02}, devices=PHONE),
        "neither a size nor a latency of this machine", "write budgets: {size_mb: 0.05}",
        config(budgets={"size_mb": 0.05}, devices=PHONE),
    ),
    "an unknown key": (
        config({"alphas": [0.5]}), "search has no parameter 'alphas'", "did you mean 'alpha'",
        config({"alpha": [0.5]}),
    ),
    "a value that is none": (
        config({"backbone": ["conv", "linear"]}), "search.backbone: ", "correct search.backbone",
        config({"backbone": ["conv"]}),
    ),
    "too few networks for costs": (
        config({"cost_networks": 3}), "search.cost_networks: ", "correct search.cost_networks",
        config({"cost_networks": 12}),
    ),
    "an empty space": (
        config({"alpha": []}), "search.alpha: it lists nothing", "write alpha: [0.125, 0.25, 0.5]",
        config({"alpha": [0.125, 0.25, 0.5]}),
    ),
    "no image that large": (
        config({"resolution": [16, 32]}), "search.resolution: 32, and the images have 24",
        "write resolution: [16]", config({"resolution": [16]}),
    ),
    "trainings out of order": (
        config({"steps": [320, 80]}), "search.steps: each training is longer",
        "write steps: [80, 320]", config({"steps": [80, 320]}),
    ),
    "widths of nothing": (
        config({"backbone": ["mobilenet_v1"], "widths": [[8, 16]]}), "search.widths: they are of conv",
        "add conv to backbone", config({"backbone": ["mobilenet_v1", "conv"], "widths": [[8, 16]]}),
    ),
    "widths and alpha": (
        config({"backbone": ["conv"], "widths": [[8, 16]], "alpha": [0.5]}), "search.alpha: conv has widths",
        "remove alpha", config({"backbone": ["conv"], "widths": [[8, 16]]}),
    ),
    "a stem of nothing": (
        config({"stem": ["full"]}), "search.stem: it is about the blocks of widths",
        "add widths: [[8, 16, 24]]", config({"stem": ["full"], "widths": [[8, 16, 24]]}),
    ),
    "residuals of nothing": (
        config({"residuals": [[0, 1]]}), "search.residuals: it is about the blocks of widths",
        "remove residuals", config({}),
    ),
    "residuals of other blocks": (
        config({"widths": [[8, 16, 24]], "residuals": [[0, 1]]}),
        "search.residuals: [0, 1] has 2 numbers, and widths 3 blocks", "write [0, 1, 0] in its place",
        config({"widths": [[8, 16, 24]], "residuals": [[0, 1, 0]]}),
    ),
    "no residuals to choose": (
        config({"widths": [[8, 16, 24]], "residuals": []}), "search.residuals: it lists nothing",
        "write residuals: [[0, 0, 0], [0, 1, 1]]",
        config({"widths": [[8, 16, 24]], "residuals": [[0, 0, 0], [0, 1, 1]]}),
    ),
    "no such stem": (
        config({"widths": [[8, 16]], "stem": ["whole"]}), "search.stem: ", "correct search.stem",
        config({"widths": [[8, 16]], "stem": ["full"]}),
    ),
    "nothing widens": (
        config({"backbone": ["conv"], "expansion": [2.0]}), "search.expansion: conv widen nothing",
        "add mobilenet_v2 to backbone", config({"backbone": ["conv", "mobilenet_v2"], "expansion": [2.0]}),
    ),
    "embeddings of classes": (
        config({"embedding": [32]}, **CLASSES), "search.embedding: classification has no embedding",
        "remove embedding", config({}, **CLASSES),
    ),
    "of the other task": (
        config({"temperature": 2.0}), "search.temperature: it is for classification",
        "remove temperature", config({}),
    ),
    "hints": (
        config({"hint_weight": 1.0}), "search.hint_weight: it is about layers", "remove hint_weight",
        config({}),
    ),
    "turned classes": (
        config({"turns": True}, **CLASSES), "search.turns: a class that is turned", "remove turns",
        config({}, **CLASSES),
    ),
    "turned oblongs": (
        config({"turns": True}), "search.turns: images that are not square", "make image square",
        config({"turns": True}, image={"height": 32, "width": 32}),
    ),
    "mixed images of answers": (
        config({"mixup": 4}, teacher=ANSWERS), "search.mixup: the teacher is known by its answers",
        "remove mixup", config({}, teacher=ANSWERS),
    ),
    "two networks": (
        config(variants={"searched": [{"distill": {"architecture": "search", "backbone": "conv"}}]}),
        "distill.backbone: architecture: null alone has it, and architecture is search",
        "remove backbone there", config(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_cannot_be_searched_is_refused_and_the_fix_works(name: str, tmp_path: Path) -> None:
    wrong, what, fix, right = CASES[name]
    with pytest.raises(UserError) as caught:
        loaded(wrong, tmp_path)
    assert what in caught.value.what
    assert fix in caught.value.fix
    graph_of(loaded(right, tmp_path))


def test_a_search_needs_its_extra_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = loaded(config(), tmp_path)
    store = open_store(str(tmp_path / "store"))
    request = Request(
        given, graph_of(given), Cluster(), remeasure=False, store=store, sources=dict,
        tell=lambda _: None,
    )  # fmt: skip
    images.extras.cache_clear()
    version = importlib.metadata.version

    def without_optuna(name: str) -> str:
        if name == "optuna":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr("importlib.metadata.version", without_optuna)
    with pytest.raises(UserError, match="search: the package optuna") as caught:
        choose("local", request)
    assert "pip install -c" in caught.value.fix
    assert "[search]'" in caught.value.fix
    monkeypatch.undo()
    images.extras.cache_clear()
    choose("local", request)  # the fix was applied: it is installed
