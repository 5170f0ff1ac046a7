"""The demo of the pages: laid out once, made by real commands, and gone on with."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.cli import demo as demo_module
from pipelines.cli.demo import Demo, lay_out
from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.sources.snapshot import snapshot

ROOT = Path(__file__).parents[3]


@pytest.fixture
def demo(tmp_path: Path) -> Demo:
    return lay_out(tmp_path / "demo")


def test_two_thirds_of_the_digits_are_there_to_begin_with(demo):
    assert len(snapshot(str(demo.data), None).files) == 1198
    assert {folder.name for folder in demo.data.iterdir()} == set("0123456789")


@pytest.mark.parametrize("which", ["config", "strict"])
def test_its_configurations_are_valid(demo, which):
    config = load(getattr(demo, which))
    assert Path(config.store) == demo.store
    assert "publish" in [step.name for step in graph_of(config).ordered]


def test_what_is_laid_out_stays_as_it_is(demo):
    demo.config.write_text(demo.config.read_text() + "# mine\n")
    some = next(demo.data.rglob("*.pgm"))
    some.unlink()
    lay_out(demo.folder)
    assert demo.config.read_text().endswith("# mine\n")
    assert not some.exists()


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "photo.png").write_bytes(b"mine")
    with pytest.raises(UserError, match="holds something else") as caught:
        lay_out(tmp_path)
    assert "new one" in caught.value.fix
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]
    lay_out(tmp_path / "new")


def test_the_story_ends_where_a_command_fails(demo):
    demo.config.write_text("no: configuration\n")
    ended = subprocess.run(
        [sys.executable, "-m", demo_module.__name__, str(demo.folder)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert ended.stdout.splitlines() == [f"$ slimline run {demo.config}"]
    assert "fix:" in ended.stderr


@pytest.mark.slow
def test_the_whole_story(tmp_path):
    demo = lay_out(tmp_path / "demo")
    demo_module.play(demo)
    slimline = [sys.executable, "-m", "pipelines.cli"]
    subprocess.run(
        [*slimline, "tick", "new-digits", "--store", str(demo.store)], cwd=ROOT, check=True
    )
    told = subprocess.run(
        [*slimline, "releases", "digits", "--store", str(demo.store), "--json"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    states = [one["state"] for one in json.loads(told.stdout)["releases"]]
    assert sorted(states) == ["candidate", "champion", "no winner"]
    demo_module.play(demo)  # nothing is left to do
    runs = subprocess.run(
        [*slimline, "runs", "--store", str(demo.store), "--json"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert len(json.loads(runs.stdout)["runs"]) == 3
