"""The example is run on the data at hand, and what the peers take is found in its graph."""

from dataclasses import replace
from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.runs.cache import Cache
from pipelines.runs.records import put_finished
from tests.benchmarks.peers.places import Places
from tests.benchmarks.peers.run_of_slimline import EXAMPLE, SlimlineRun, configured, found
from tests.pipelines.runs.kept_run import DECISION, Kept


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "images", tmp_path / "net.h5", tmp_path / "int8.tflite")


def test_the_example_is_run_as_it_is_but_for_its_places(places: Places, tmp_path: Path) -> None:
    config = load(configured(places, None, tmp_path / "store", tmp_path / "folder"))
    example = load(EXAMPLE)
    moved = {
        "data": str(places.images),
        "store": str(tmp_path / "store"),
        "teacher": config.teacher,
    }
    assert config == example.model_copy(update=moved)
    assert config.teacher == example.teacher.model_copy(update={"model": str(places.h5)})


def test_its_budget_is_half_of_the_published_file() -> None:
    example = load(EXAMPLE)
    assert example.budgets.size_mb == 98_496 / 2 / 1e6
    assert (example.metric, example.budgets.drop) == ("accuracy", 0.01)
    components = {step.component for step in graph_of(example).steps}
    assert {
        "import_model",
        "distill",
        "prune",
        "cluster",
        "quantize_aware",
        "quantize",
    } <= components


def test_a_trial_trains_for_an_epoch_on_few_images(places: Places, tmp_path: Path) -> None:
    config = load(configured(places, 20, tmp_path / "store", tmp_path / "folder"))
    assert config.split["subset"] == 2000
    steps = graph_of(config).steps
    epochs = {step.parameters["epochs"] for step in steps if step.component in ("distill", "cluster", "quantize_aware")}  # fmt: skip
    assert epochs == {1}
    assert [*config.variants] == [*load(EXAMPLE).variants], "the same variants"


def test_what_peers_take_are_models_of_the_graph(tmp_path: Path) -> None:
    config = load(EXAMPLE)
    kept = Kept(tmp_path, DECISION)
    run = SlimlineRun(config, kept.record(), Cache(kept.store, tmp_path / "scratch"))
    steps = {step.name: step.component for step in graph_of(config).steps}
    assert steps[run.model_of("teacher")[0]] == "import_model"
    student, port = run.model_of("student")
    assert (steps[student], port) == ("distill", "model")
    assert run.decision == DECISION


def test_only_a_finished_run_of_the_same_configuration_counts(
    places: Places, tmp_path: Path
) -> None:
    kept = Kept(tmp_path, DECISION)
    file = configured(places, None, tmp_path / "store", tmp_path / "folder")
    with pytest.raises(UserError, match=r"no finished run of resnet8.yaml\n.*ONLY=slimline"):
        found(file)
    digest = load(file).digest
    mine = replace(kept.record(), run="resnet8-1", config_digest=digest, outcome="failed")
    put_finished(kept.store, mine)
    with pytest.raises(UserError, match="no finished run"):
        found(file)
    put_finished(kept.store, replace(mine, run="resnet8-2", outcome="done"))  # the fix
    assert found(file).record.run == "resnet8-2"
