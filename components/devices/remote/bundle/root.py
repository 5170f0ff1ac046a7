"""Root: the folder that starts a Python on a device with nothing of the device's own.

python                      a script that starts the program by its own loader
bin/python3.11
lib/                        the loader, and each library that anything here needs
lib/python3.11/             the whole standard library without its tests, as bytecode
site/                       the runtime and numpy
SHA256SUMS                  of all files
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterator, Mapping, Sequence

from components.contract.errors import UserError
from components.devices.remote.bundle.bytecode import Tree
from components.devices.remote.bundle.deb import DebFiles
from components.devices.remote.bundle.elf import read_elf
from components.devices.remote.bundle.lock import NAMES, PYTHON

SUMS = "SHA256SUMS"
LOADERS = {"aarch64": "ld-linux-aarch64.so.1", "x86_64": "ld-linux-x86-64.so.2"}
"""What the C library's loader is called, by architecture."""
PROGRAMS = (f"bin/{PYTHON}", "python", *(f"lib/{loader}" for loader in LOADERS.values()))
"""What is run; all else is only read."""

_STARTER = f"""\
#!/bin/sh
# Started by its path: sh .../root-.../python ...
root=${{0%/*}}
PYTHONHOME=$root
export PYTHONHOME
exec "$root/lib/LOADER" --inhibit-cache --library-path "$root/lib" "$root/bin/{PYTHON}" "$@"
"""
_STANDARD = f"usr/lib/{PYTHON}/"
# Tests, what installs or draws, and what asks libraries of terminals and old databases.
_LEFT_OUT = (
    "test/", "idlelib/", "ensurepip/", "lib2to3/", "turtledemo/", "tkinter/", "turtle.py",
    "pydoc_data/", "config-",
    *(f"lib-dynload/{name}" for name in (
        "_test", "_ctypes_test", "_xx", "xx", "_curses", "_dbm", "_gdbm", "_tkinter", "nis",
        "readline", "_crypt", "ossaudiodev",
    )),
)  # fmt: skip
_PLUGINS = ("/vendors/", "/tools/apply_plugin")
"""Of the runtime, for accelerators: they need the libraries of their makers."""
_FOLDERS_OF_TESTS = ("/test/", "/tests/")
_LINKS_MOST = 8


def root_of(packages: Sequence[DebFiles], site: Tree, arch: str) -> dict[str, bytes]:
    """Return the files of a root, sources not compiled yet, and the sums still to be added.

    Args:
        packages: Of Debian.
        site: What the wheels bring, by path.
        arch: As the kernel says.

    Raises:
        UserError: A library that something needs is in none of the packages.
    """
    files = {path: content for package in packages for path, content in package.files.items()}
    links = {path: link for package in packages for path, link in package.links.items()}
    made = {
        "python": _STARTER.replace("LOADER", LOADERS[arch]).encode(),
        f"bin/{PYTHON}": files[f"usr/bin/{PYTHON}"],
        **{f"lib/{PYTHON}/{path}": content for path, content in _standard(files)},
        **{f"site/{path}": content for path, content in site.items() if not _is_plugin(path)},
    }
    return made | _libraries(made, _by_name(files, links), LOADERS[arch])


def with_sums(files: Tree) -> dict[str, bytes]:
    """Return files and, as one more, the digests of all that ``sha256sum -c`` reads."""
    lines = (f"{hashlib.sha256(files[path]).hexdigest()}  {path}\n" for path in sorted(files))
    return {**files, SUMS: "".join(lines).encode()}


def _is_plugin(path: str) -> bool:
    return any(part in path for part in _PLUGINS)


def _standard(files: Tree) -> Iterator[tuple[str, bytes]]:
    for path, content in files.items():
        name = path.removeprefix(_STANDARD)
        tested = any(part in path for part in _FOLDERS_OF_TESTS)
        if path.startswith(_STANDARD) and not name.startswith(_LEFT_OUT) and not tested:
            yield name, content


def _by_name(files: Tree, links: Mapping[str, str]) -> dict[str, bytes]:
    """Return shared libraries by the names under which others ask for them."""
    found = {posixpath.basename(path): files[path] for path in files if ".so" in path}
    for link in links:
        path = link
        for _ in range(_LINKS_MOST):
            if path not in links:
                break
            target = posixpath.join("/", posixpath.dirname(path), links[path])
            path = posixpath.normpath(target).lstrip("/")
        if path in files:
            found.setdefault(posixpath.basename(link), files[path])
    return found


def _libraries(made: Tree, libraries: Tree, loader: str) -> dict[str, bytes]:
    """Return the libraries that files need, those that these need, and so on."""
    own = {posixpath.basename(path) for path in made}  # wheels bring some, beside what needs them
    found = {f"lib/{loader}": libraries[loader]}
    todo = [(path, content) for path, content in made.items() if content.startswith(b"\x7fELF")]
    while todo:
        path, content = todo.pop()
        elf = read_elf(content)
        for name in elf.needed if elf else ():
            if f"lib/{name}" in found or name in own:
                continue
            if name not in libraries:
                raise UserError(
                    f"{path} needs {name}, which is in none of the packages of the bundle",
                    f"add the package of Debian that has it to the {len(NAMES)} in NAMES of "
                    "lock.py, then: make bundle-lock",
                )
            found[f"lib/{name}"] = libraries[name]
            todo.append((f"lib/{name}", libraries[name]))
    return found
