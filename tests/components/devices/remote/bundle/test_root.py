"""The root: complete, or what it lacks is said."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from components.contract.errors import UserError
from components.devices.remote.bundle.deb import DebFiles
from components.devices.remote.bundle.elf import read_elf
from components.devices.remote.bundle.lock import PYTHON
from components.devices.remote.bundle.root import root_of

ELF = Path(sys.executable).resolve().read_bytes()
LOADER = "lib/aarch64-linux-gnu/ld-linux-aarch64.so.1"


def packages(**libraries: bytes) -> list[DebFiles]:
    files = {
        f"usr/bin/{PYTHON}": ELF,
        f"usr/lib/{PYTHON}/os.py": b"",
        f"usr/lib/{PYTHON}/test/test_os.py": b"",
        f"usr/lib/{PYTHON}/unittest/test/test_case.py": b"",
        f"usr/lib/{PYTHON}/lib-dynload/readline.so": ELF,
        LOADER: b"loader",
        **{f"usr/lib/aarch64-linux-gnu/{name}.1": content for name, content in libraries.items()},
    }
    links = {"lib/ld-linux-aarch64.so.1": "aarch64-linux-gnu/ld-linux-aarch64.so.1"}
    links |= {f"usr/lib/aarch64-linux-gnu/{name}": f"{name}.1" for name in libraries}
    return [DebFiles(files, links)]


def needed() -> tuple[str, ...]:
    found = read_elf(ELF)
    assert found is not None
    return found.needed


def test_each_library_comes_under_the_name_that_is_asked_for() -> None:
    site = {"numpy/a.so": b"so", "ai_edge_litert/vendors/x.so": b"plugin"}
    made = root_of(packages(**dict.fromkeys((*needed(), "libother.so"), b"lib")), site, "aarch64")
    assert sorted(made) == sorted(
        [
            "python", f"bin/{PYTHON}", f"lib/{PYTHON}/os.py", "site/numpy/a.so",
            "lib/ld-linux-aarch64.so.1", *(f"lib/{name}" for name in needed()),
        ]
    )  # fmt: skip
    assert b'"$root/lib/ld-linux-aarch64.so.1"' in made["python"]


def test_a_library_that_is_in_no_package_is_named() -> None:
    *others, last = needed()
    with pytest.raises(UserError, match=f"bin/{PYTHON} needs {last}, which is in none") as caught:
        root_of(packages(**dict.fromkeys(others, b"lib")), {}, "aarch64")
    assert "then: make bundle-lock" in caught.value.fix
    assert root_of(packages(**dict.fromkeys(needed(), b"lib")), {}, "aarch64")
