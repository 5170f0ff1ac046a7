"""Origins: a run is run again from what it came from, and from nothing else."""

from dataclasses import replace
from pathlib import Path

import yaml

from pipelines.compress import sources_of
from pipelines.config.loading import load
from pipelines.runs.records import RunRecord
from pipelines.triggers.kept import config_text, list_triggers
from pipelines.triggers.origins import origin_of
from pipelines.triggers.settings import ScheduleSettings

TINY = Path(__file__).parents[2] / "data" / "tiny.yaml"
DAILY = ScheduleSettings("0 4 * * *", "UTC")


def written(path: Path, **changes: object) -> Path:
    plain = {**yaml.safe_load(TINY.read_text()), **changes}
    path.write_text(yaml.safe_dump(plain, sort_keys=False))
    return path


def record_of(path: Path, actor: str = "jane") -> RunRecord:
    config = load(path)
    return RunRecord(
        run="r", name=config.name, config_digest=config.digest, graph_digest="d" * 64,
        engine="local", started="2026-01-02T03:04:05.678+00:00", finished=None, outcome="done",
        budgets={}, steps={}, sources={}, wall_s=0.0, critical_path_s=0.0, actor=actor,
        places=sources_of(config),
    )  # fmt: skip


def test_a_file_is_found_by_what_it_is_and_not_by_where_it_lies(tmp_path):
    same, other = written(tmp_path / "a.yaml"), written(tmp_path / "b.yaml", seed=7)
    damaged = tmp_path / "c.yaml"
    damaged.write_text("name: [")
    configs = [damaged, other, same, tmp_path / "gone.yaml"]
    assert origin_of(record_of(TINY), configs, []) == same
    assert origin_of(record_of(other), configs, []) == other
    assert origin_of(record_of(written(tmp_path / "b.yaml", seed=8)), [same], []) is None


def test_other_data_is_another_run_of_the_same_configuration(tmp_path):
    here = written(tmp_path / "a.yaml")
    there = written(tmp_path / "b.yaml", data=str(tmp_path / "images"))
    assert load(here).digest == load(there).digest
    assert origin_of(record_of(there), [here], []) is None
    assert origin_of(record_of(there), [here, there], []) == there
    # Records of earlier versions do not say where the files lay.
    assert origin_of(replace(record_of(there), places={}), [here], []) == here


def test_the_trigger_that_launched_a_run_comes_first(world, tmp_path):
    text = config_text(load(TINY))
    first, second = (world.trigger(name, schedule=DAILY, config=text) for name in ("one", "two"))
    triggers, _ = list_triggers(world.store)
    same = written(tmp_path / "a.yaml")
    assert origin_of(record_of(TINY, "trigger two"), [same], triggers) == second
    assert origin_of(record_of(TINY, "trigger three"), [same], triggers) == same
    assert origin_of(record_of(TINY), [], triggers) == first
    assert origin_of(record_of(written(tmp_path / "b.yaml", seed=7)), [same], triggers) is None
