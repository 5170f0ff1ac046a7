"""The code digest of a component: the static closure of its module inside ``components/``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from components.contract.digests import digest, file_sha256

ROOT = Path(__file__).parents[1]
_ENTRY = ("components.__main__",)  # runs every component, so belongs to each
_SUFFIXES = (".html", ".css")  # templates that code reads

_NAME = re.compile(r"[\w.]+")
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(components[\w.]*)[ \t]+import[ \t]*(\([^)]*\)|.*)|import[ \t]+(.*))",
    re.MULTILINE,
)


@cache
def imports_of(module: str) -> frozenset[str]:
    """Return the ``components.*`` modules that the source of ``module`` names in any import.

    Imports inside functions count; so does every package on the way, whose ``__init__`` runs.
    Each step asks this of every module that it may load, and parsing them takes longer than many
    a step: the imports are found as text. A test holds that against the parser, module by module.
    """
    path = path_of(module)
    if path is None:
        return frozenset()
    found: set[str] = set()
    for package, names, whole in _IMPORT.findall(path.read_text()):
        if package:
            found.add(package)
            found.update(f"{package}.{name}" for name in _NAME.findall(names))
        else:
            found.update(_NAME.findall(whole))
    ours = {name for name in found if name == "components" or name.startswith("components.")}
    parents = {
        name.rsplit(".", count)[0] for name in ours for count in range(1, name.count(".") + 1)
    }
    return frozenset(name for name in ours | parents if path_of(name))


def path_of(module: str) -> Path | None:
    """Return the source file of a ``components`` module, or None when there is no such module."""
    base = ROOT.parent.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


@cache
def closure_of(component: str) -> frozenset[str]:
    """Return the names of all modules that running ``component`` may load from ``components``."""
    todo = [f"components.{component}", *_ENTRY]
    seen: set[str] = set()
    while todo:
        module = todo.pop()
        if module not in seen:
            seen.add(module)
            todo.extend(imports_of(module))
    return frozenset(seen)


@cache
def code_files(component: str) -> Mapping[str, str]:
    """Return the sha256 of the component's own source and of all it imports from ``components``.

    Templates that lie in a package of the closure count too.

    Returns:
        By path, relative to ``components/``.
    """
    paths = {path for module in closure_of(component) if (path := path_of(module))}
    packages = {path.parent for path in paths if path.name == "__init__.py"} - {ROOT}
    paths |= {
        path for package in packages for path in package.iterdir() if path.suffix in _SUFFIXES
    }
    return {path.relative_to(ROOT).as_posix(): file_sha256(path) for path in sorted(paths)}


@cache
def code_digest(component: str) -> str:
    """Return the digest of a component's code: of ``code_files``."""
    return digest("code", dict(code_files(component)))
