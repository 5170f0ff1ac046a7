"""Suggesting: what earlier runs took counts, and files are written beside their source."""

from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.launch.suggesting import put_beside, suggest
from pipelines.runs.records import RunRecord, new_run_id, now, put_finished
from pipelines.stores.opening import open_store
from tests.pipelines.config.suggest.situations import written


def put_run(path: Path, seconds: float, name: str) -> None:
    """Keep the record of a run whose steps took so long each."""
    config = load(path)
    steps = {
        step.name: {"state": "done", "component": step.component, "wall_s": seconds}
        for step in graph_of(config).steps
    }
    record = RunRecord(
        run=new_run_id(name), name=name, config_digest="c", graph_digest="g", engine="local",
        started=now(), finished=now(), outcome="done", budgets={}, steps=steps, sources={},
        wall_s=1.0, critical_path_s=1.0,
    )  # fmt: skip
    put_finished(open_store(config.store), record)


def test_earlier_runs_of_the_name_decide_what_fits(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.yaml", auto={"minutes": 60})
    _, assumed = suggest(path, {})
    assert not assumed.told
    put_run(path, 600.0, "mine-too")
    assert suggest(path, {})[1].plain == assumed.plain, "a run of another name"
    put_run(path, 600.0, "mine")
    _, found = suggest(path, {})
    assert found.told
    assert len(found.variants) == 1, "ten minutes a step are more than an hour"
    text, longer = suggest(path, {"minutes": 100_000.0})
    assert len(longer.variants) > len(found.variants)
    assert "earlier runs" in text


def test_what_is_given_counts_before_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.yaml")
    assert "grid-int8" not in suggest(path, {})[1].plain
    assert "grid-int8" in suggest(path, {"download": True})[1].plain


@pytest.mark.parametrize(
    ("option", "value"),
    [("minutes", -1.0), ("minutes", float("nan")), ("images", 0), ("classes", 1)],
)
def test_an_option_is_refused_by_its_own_name(tmp_path: Path, option: str, value: float) -> None:
    path = written(tmp_path / "mine.yaml", auto=None)
    with pytest.raises(UserError) as caught:
        suggest(path, {option: value})
    assert caught.value.what.startswith(f"--{option}: must be ")
    assert caught.value.fix == f"give another number, or leave --{option} away"
    assert suggest(path, {})[1].variants


def test_files_are_new_and_beside_their_source(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.yaml")
    put_beside("text", path, tmp_path / "new.yaml")
    with pytest.raises(UserError, match="already"):
        put_beside("other", path, tmp_path / "new.yaml")
    assert (tmp_path / "new.yaml").read_text() == "text"
    (tmp_path / "sub").mkdir()
    with pytest.raises(UserError, match="another folder") as caught:
        put_beside("text", path, tmp_path / "sub" / "other.yaml")
    put_beside("text", path, Path(caught.value.fix.rpartition("-o ")[2]))
    assert (tmp_path / "other.yaml").exists()
