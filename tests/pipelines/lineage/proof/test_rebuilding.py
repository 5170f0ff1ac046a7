"""Rebuilding: every step made again is compared, what was measured is left out and said so."""

import pytest

from components.contract.errors import UserError
from pipelines.lineage.proof.chain import Asked, Extent
from pipelines.lineage.proof.rebuilding import place_of, rebuild
from pipelines.stores.layout import graph_key
from tests.data.kept_release import AgainRunner
from tests.pipelines.stores.damage import remove


@pytest.fixture
def again(store, kept):
    def run(runner, **extent):
        told = []
        asked = Asked(kept.run, kept.release, kept.run)
        done = rebuild(store, asked, Extent(**extent), told.append, runner)
        assert told == done
        return {step.step: step for step in done}

    return run


def states(steps):
    return {name: step.state for name, step in steps.items()}


def test_equal_bytes_are_the_same_and_measurements_are_left_out(store, kept, again):
    before = {key: store.stat(key) for key in store.list("")}
    runner = AgainRunner(kept.sources["data"])
    found = states(again(runner))
    assert found == {
        "benchmark-teacher-host": "left out", "ingest": "same", "train": "same",
        "convert-teacher": "same", "select": "same", "publish": "same",
    }  # fmt: skip
    assert runner.executed == ["ingest", "train", "convert-teacher", "select", "publish"]
    assert {key: store.stat(key) for key in store.list("")} == before, "the store is only read"
    assert not place_of(store, kept.run).exists()


def test_other_bytes_are_named_with_what_was_other_then(kept, again):
    found = again(AgainRunner(kept.sources["data"], model="other"))
    assert states(found) == {
        "benchmark-teacher-host": "left out", "ingest": "same", "train": "different",
        "convert-teacher": "not made", "select": "not made", "publish": "not made",
    }  # fmt: skip
    said = found["train"].what
    assert said.startswith("model/weights.safetensors")
    assert "made with other code, environment, processor (test then) than then" in said


def test_an_interrupted_rebuild_is_continued(store, kept, again):
    runner = AgainRunner(kept.sources["data"])
    runner.ends["select"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        again(runner)
    assert place_of(store, kept.run).exists()
    second = AgainRunner(kept.sources["data"])
    assert set(states(again(second)).values()) == {"same", "left out"}
    assert second.executed == ["select", "publish"]
    assert not place_of(store, kept.run).exists()


def test_files_that_changed_since_are_refused_and_a_copy_will_do(kept, again, data, tmp_path):
    import shutil

    copy = shutil.copytree(data, tmp_path / "copy")
    (data / "one" / "0.png").write_bytes(b"other")
    with pytest.raises(UserError, match="are not those that run digits-1 read") as caught:
        again(AgainRunner(kept.sources["data"]))
    assert "--source data=PLACE" in caught.value.fix
    found = again(AgainRunner(kept.sources["data"]), places={"data": str(copy)})
    assert set(states(found).values()) == {"same", "left out"}


def test_a_run_without_its_graph_is_refused(store, kept, again):
    remove(store, graph_key(kept.record.graph_digest))
    with pytest.raises(UserError, match="holds no graph of it"):
        again(AgainRunner(kept.sources["data"]))
