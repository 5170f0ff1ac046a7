"""Bytecode: the same bytes for the same sources, and who compiles them."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from components.contract.errors import UserError
from components.devices.remote.bundle import bytecode
from components.devices.remote.bundle.bytecode import compiler, with_bytecode

FILES = {
    "a/one.py": b"WORDS = {'a', 'b', 'c'}\nif 'x' in {'x', 'y', 'z', 'w'}: pass\n",
    "a/text.txt": b"text",
    "two.py": b"import a.one\nprint(len(a.one.WORDS), __file__)\n",
    "template.py": b"this is {no} Python",
}
HERE = [sys.executable]


def test_sources_become_bytecode_that_runs_without_them(tmp_path: Path) -> None:
    made = with_bytecode(FILES, HERE)
    assert sorted(made) == ["a/one.pyc", "a/text.txt", "two.pyc"]
    for path, content in made.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    command = [sys.executable, "-c", "import two"]
    done = subprocess.run(command, capture_output=True, cwd=tmp_path, text=True, check=True)
    assert done.stdout.split()[0] == "3"


def test_the_same_bytes_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever seed is set here, and wherever temporary files lie."""
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    first = with_bytecode(FILES, HERE)
    monkeypatch.setenv("PYTHONHASHSEED", "8")
    assert with_bytecode(dict(reversed(FILES.items())), HERE) == first


def test_what_does_not_compile_is_said() -> None:
    with pytest.raises(UserError, match="/bin/false did not compile what goes to devices"):
        with_bytecode(FILES, ["/bin/false"])
    assert with_bytecode(FILES, HERE)


def test_a_python_of_the_bundles_version_compiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This one, else one that is found by its name, else the bundle's own; else it is asked for."""
    ours = "python{}.{}".format(*sys.version_info)
    monkeypatch.setattr(bytecode, "PYTHON", ours)
    assert compiler(None, tmp_path) == HERE
    monkeypatch.setattr(bytecode, "PYTHON", "python3.99")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.defpath}")
    unpacked: list[str] = []
    compiler(lambda arch, folder: unpacked.append(arch) or [str(folder)], tmp_path)
    assert unpacked == [platform.machine()]
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(UserError, match=r"compiled by python3.99, which is not here") as caught:
        compiler(None, tmp_path)
    assert "install python3.99 on this machine" in caught.value.fix
    program = tmp_path / "python3.99"
    program.write_text("#!/bin/sh\necho python3.99\n")
    program.chmod(0o755)
    assert compiler(None, tmp_path) == [str(program)]
