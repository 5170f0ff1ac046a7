"""The README says what is so: its commands run, its configurations load, its Python runs.

Beside it: each folder explains itself, and every link between the documents leads somewhere.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
TINY = (ROOT / "tests" / "data" / "tiny.yaml").read_text()
ROOMS = sorted(
    path.parent
    for tree in ("components", "pipelines")
    for path in (*(ROOT / tree).rglob("__init__.py"), *(ROOT / tree).rglob("README.md"))
    if path.name == "README.md" or not (path.parent / "README.md").exists()
)
DOCUMENTS = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not {".venv", "build", "node_modules"} & set(path.relative_to(ROOT).parts)
    and not any(part.startswith("slimline-") for part in path.relative_to(ROOT).parts)
)


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


def test_a_newcomer_reads_it_to_the_end():
    assert len(README.splitlines()) <= 180


def test_every_command_is_one_that_is_tried_here_or_a_target_of_make():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for command in commands():
        program, argument, *_ = command.split()
        assert program == "slimline" or (program == "make" and argument in targets), command


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A folder in which the commands of the README ran in their order, on the tiny example."""
    folder = tmp_path_factory.mktemp("newcomer")
    tried = [command.split() for command in commands() if command.startswith("slimline")]
    assert [words[1] for words in tried] == ["init", "suggest", "explain", "run", "show", "verify"]
    for words in tried:
        done = subprocess.run(
            [sys.executable, "-m", "pipelines.cli", *words[1:]],
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        if words[1] == "init":
            config = re.sub(r"store: .*", "store: ./slimline-store", TINY)
            (folder / "my.yaml").write_text(config)
    return folder


def test_the_release_holds_what_the_readme_names(ran):
    names = re.search(
        r"^`slimline-out/digits` then holds.*?\n\n", README, re.MULTILINE | re.DOTALL
    )[0]
    files = set(re.findall(r"`([a-z]+\.[a-z]+)`", names))
    assert len(files) == 6
    assert files == {path.name for path in (ran / "slimline-out" / "tiny").iterdir()}


def test_its_python_uses_the_release(ran):
    (code,) = blocks("python")
    program = code.replace("slimline-out/digits", "slimline-out/tiny") + (
        "one, other = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 1))\n"
        "print(embed(one).shape, same(one, one), same(one, other) in (True, False))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ran,
        env={**environment(), "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "(8,) True True"


@pytest.mark.parametrize("block", blocks("yaml"))
def test_yaml_of_the_readme_is_a_configuration(block, tmp_path):
    from pipelines.config.loading import load

    given = yaml.safe_load(block)
    rest = {"name": "mine"}
    if "variants" not in given:
        (tmp_path / "face.keras").touch()
        rest = yaml.safe_load(TINY) | {"variants": {"int8": [{"quantize": {"scheme": "int8"}}]}}
    (tmp_path / "my.yaml").write_text(yaml.safe_dump(rest | given))
    assert load(tmp_path / "my.yaml").teacher


def test_the_configuration_that_it_shows_is_the_demo():
    shown = yaml.safe_load(blocks("yaml")[0])
    demo = yaml.safe_load((ROOT / "pipelines/examples/digits.yaml").read_text())
    for name, path in shown.pop("variants").items():
        for step, original in zip(path, demo["variants"][name], strict=True):
            ((component, parameters),) = step.items()
            assert parameters.items() <= original[component].items(), name
    assert shown.items() <= demo.items()


def test_pictures_exist_and_are_small():
    for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert (ROOT / name).stat().st_size < 150_000


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.relative_to(ROOT).as_posix())
def test_every_room_explains_itself_and_each_of_its_files(room):
    text = (room / "README.md").read_text()
    assert 20 <= len(text.splitlines()) <= 60
    files = {path.name for path in room.iterdir() if path.is_file()} - {"__init__.py", "README.md"}
    folders = {f"{path.parent.name}/" for path in room.glob("*/README.md")}
    named = set(re.findall(r"^\| `(\w+\.\w+|\w+/)`", text, re.MULTILINE))
    assert files | folders <= named, "not in its table"
    assert not {name for name in named if not (room / name).exists()}, "there is no such file"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document):
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target or target.startswith("#"):
            continue
        path, _, anchor = target.partition("#")
        found = document.parent / path
        assert found.exists(), target
        if anchor:
            assert anchor in anchors(found), target


def anchors(document):
    """The anchors that a hosting site gives the headings of a document."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


TOPS = ("components", "pipelines", "tests", "docs", "Dockerfiles")
WRITTEN = re.findall(r"^`([\w/]+\.py)`:$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
"""What a contributor writes by following the text."""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_paths_that_documents_name_exist(document):
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    for name in re.findall(r"`([\w./-]+)`", text):
        if name.partition("/")[0] in TOPS and "NAME" not in name and name not in WRITTEN:
            assert (ROOT / name).exists(), name


def test_the_tests_that_show_what_engines_do_exist():
    text = (ROOT / "tests" / "README.md").read_text().partition("## What each engine")[2]
    names = re.findall(r"`([\w./]+\.py)`", text)
    assert len(names) > 15
    for name in names:
        assert (ROOT / "tests" / "pipelines" / "engines" / name).exists(), name
