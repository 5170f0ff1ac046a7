"""The code digest covers what a component can load, and nothing that another one loads alone."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import components
from components import COMPONENTS
from components.contract import closure
from components.contract.closure import closure_of, imports_of, path_of

ROOT = Path(components.__path__[0])
MODULES = sorted(path for path in ROOT.rglob("*.py"))


def test_no_relative_import_hides_from_the_closure():
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.ImportFrom) and node.level), path


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_import_that_the_parser_sees_is_missed(path):
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    found = imports_of(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        ours = {name for name in names if name.split(".")[0] == "components" and path_of(name)}
        assert ours <= found


def test_every_way_to_write_an_import_is_read(tmp_path, monkeypatch):
    module = tmp_path / "components" / "written.py"
    module.parent.mkdir()
    for name in ("a", "b", "c", "d", "e"):
        (module.parent / f"{name}.py").touch()
    (module.parent / "__init__.py").touch()
    module.write_text(
        "import components.a as first, components.b\n"
        "def late():\n"
        "    from components import (\n"
        "        c,  # why\n"
        "        d as other,\n"
        "    )\n"
        "\tfrom components.e import thing\n"
        "text = 'import components.absent'\n"
    )
    monkeypatch.setattr(closure, "ROOT", module.parent)
    assert imports_of("components.written") == {
        "components", *(f"components.{name}" for name in "abcde")
    }  # fmt: skip


def test_the_closure_follows_imports_inside_functions():
    assert {
        "components.prune",
        "components.ml.techniques.weight_pruning",
        "components.contract.interface",
    } <= closure_of("prune")


def test_editing_publish_changes_no_training_key():
    assert "components.publish" not in closure_of("train")
    assert "components.ml.training.loop" not in closure_of("publish")
    assert not {name for name in closure_of("select") if name.startswith("components.ml")}


def test_the_digest_of_a_copy_changes_exactly_with_its_closure(tmp_path):
    copy = tmp_path / "components"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = digests(tmp_path)
    assert before == digests(ROOT.parent)
    for module in (
        "components.publish",
        "components.ml.techniques.weight_pruning",
        "components.contract.errors",
    ):
        path = copy.parent.joinpath(*module.split(".")).with_suffix(".py")
        path.write_text(path.read_text() + "\n# changed\n")
        after = digests(tmp_path)
        assert {name for name in COMPONENTS if after[name] != before[name]} == {
            name for name in COMPONENTS if module in closure_of(name)
        }
        before = after


def digests(root):
    code = "import json; from components.contract.closure import code_digest; from components import COMPONENTS; print(json.dumps({n: code_digest(n) for n in COMPONENTS}))"
    import json

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env={"PYTHONPATH": str(root), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_a_missing_module_is_not_invented():
    assert path_of("components.absent") is None
    assert imports_of("components.absent") == frozenset()
