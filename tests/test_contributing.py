"""CONTRIBUTING.md adds a component; what it says is done here to a copy of the tree, and run."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
SECTION = TEXT.partition("## A component step by step\n")[2].partition("\n## ")[0]
FILES = dict(
    re.findall(r"^`([\w/]+\.py)`:\n```python\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
)
ROWS = dict(
    re.findall(r"^`([\w/]+\.md)`:\n```markdown\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
)
NAMED = re.search(r'Put `("\w+",)` behind `("\w+",)` in `COMPONENTS`', SECTION)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The tree with the component of the text in it, made by following the text alone."""
    copied = tmp_path_factory.mktemp("copy")
    for name in ("components", "pipelines", "tests"):
        shutil.copytree(ROOT / name, copied / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, copied)
    for name, text in FILES.items():
        assert not (copied / name).exists(), f"{name} is there already"
        (copied / name).write_text(text)
    for name, row in ROWS.items():
        readme = copied / name
        before, line, after = readme.read_text().rpartition("\n|")  # the table's last row
        end = after.index("\n") + 1
        readme.write_text(before + line + after[:end] + row + after[end:])
    assert NAMED, "the text names no place in COMPONENTS"
    listed = copied / "components" / "__init__.py"
    assert f"    {NAMED[2]}\n" in listed.read_text()
    listed.write_text(
        listed.read_text().replace(f"    {NAMED[2]}\n", f"    {NAMED[2]}\n    {NAMED[1]}\n")
    )
    return copied


def ran(copy: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=copy, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_text_gives_a_component_its_technique_and_its_test():
    folders = [str(Path(name).parent) for name in FILES]
    assert folders == ["components", "components/ml/techniques", "tests/components"]


def test_its_own_tests_those_of_every_component_and_of_the_layout_pass(copy):
    written = [name for name in FILES if name.startswith("tests/")]
    held = ("tests/components/contract/test_interface.py", "tests/test_layout.py")
    said = ran(copy, "pytest", "-p", "no:cacheprovider", *written, *held)
    assert " passed" in said
    assert "failed" not in said


def test_it_is_a_step_of_a_variant_on_the_local_engine(copy):
    config = yaml.safe_load((ROOT / "tests" / "data" / "tiny.yaml").read_text())
    name = Path(next(iter(FILES))).stem
    student, _, quantize = config["variants"]["pruned-int8"]
    config["variants"] = {"own": [student, {name: {"bits": 6}}, quantize]}
    config["store"] = str(copy / "store")
    (copy / "own.yaml").write_text(yaml.safe_dump(config))
    document = json.loads(
        ran(copy, "pipelines.cli", "run", "own.yaml", "--json", "--output", str(copy / "out"))
    )
    assert {variant["name"] for variant in document["variants"]} == {"teacher", "own"}
    explained = json.loads(ran(copy, "pipelines.cli", "explain", "own.yaml", "--json"))
    steps = {step["step"]: step for step in explained["steps"]}
    assert f"{name}-6" in steps, "named by its bits"
    assert "quantize-int8" in steps
    told = ran(copy, "components", name, "--help")
    assert "--bits" in told
