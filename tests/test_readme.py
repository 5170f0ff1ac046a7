"""The README says what is so: its commands run, its code works, its reference is the code's."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
TINY = (ROOT / "tests" / "data" / "tiny.yaml").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands():
    lines = (
        line.partition("#")[0].strip() for block in blocks("sh") for line in block.splitlines()
    )
    return [line for line in lines if line]


def environment():
    return os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }


def test_every_command_is_one_that_is_tried_here_or_a_target_of_make():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for command in commands():
        program, argument, *_ = command.split()
        assert program == "slimline" or (program == "make" and argument in targets), command


def test_the_commands_run_in_the_order_of_the_readme(tmp_path):
    config = re.sub(r"store: .*", "store: ./slimline-store", TINY)
    tried = [
        command.split()
        for command in commands()
        if command.startswith("slimline") and "images" not in command
    ]
    assert [words[1] for words in tried] == ["init", "explain", "run", "show"]
    for words in tried:
        done = subprocess.run(
            [sys.executable, "-m", "pipelines.cli", *words[1:]],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        if words[1] == "init":
            (tmp_path / "my.yaml").write_text(config)
    laid = {path.name for path in (tmp_path / "slimline-out" / "tiny").iterdir()}
    for name in re.findall(r"`slimline-out/digits/([a-z.]+)`", README):
        assert name in laid


def test_the_component_of_the_readme_has_the_interface_it_shows(tmp_path):
    shutil.copytree(
        ROOT / "components", tmp_path / "components", ignore=shutil.ignore_patterns("__pycache__")
    )
    (code,) = blocks("python")
    (tmp_path / "components/coarsen.py").write_text(code)
    names = tmp_path / "components/__init__.py"
    names.write_text(names.read_text().replace('"ingest",', '"ingest",\n    "coarsen",'))
    script = "from components.contract.interface import interface_of as i; b = i('coarsen'); print([p.name for p in b.inputs], [p.name for p in b.outputs], b.complete({}, where='x'))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "['model'] ['coarser'] {'bits': 8}"


@pytest.mark.parametrize("block", blocks("yaml"))
def test_yaml_of_the_readme_is_a_configuration(block, tmp_path):
    from pipelines.config.loading import load

    given = yaml.safe_load(block)
    if "teacher" in given:
        (tmp_path / "face.keras").touch()
        (tmp_path / "my.yaml").write_text(
            yaml.safe_dump(
                yaml.safe_load(TINY)
                | given
                | {"variants": {"int8": [{"quantize": {"scheme": "int8"}}]}}
            )
        )
        assert load(tmp_path / "my.yaml").teacher


def test_the_reference_is_what_the_code_says():
    from docs.reference import BEGIN, END, markdown

    inside = README.partition(BEGIN)[2].partition(END)[0]
    assert inside.strip() == markdown().strip()


def test_pictures_exist_and_are_small():
    for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert (ROOT / name).stat().st_size < 150_000
