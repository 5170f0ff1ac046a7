"""Modules of the user's own that define layers: code, imported only where the user trusts it.

Loads neither TensorFlow nor Keras by itself: the modules decide what they import.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from components.contract.errors import UserError
from components.contract.source import Source


@dataclass(frozen=True)
class UsersModules:
    """Files with Python code of the user's own.

    Attributes:
        files: Where they lie; a file is imported under its own name, without the ending.
    """

    files: tuple[Path, ...] = ()

    @property
    def names(self) -> str:
        """How errors and records call them."""
        return ", ".join(file.name for file in self.files)


@contextmanager
def checked(source: Path | None) -> Generator[UsersModules]:
    """Give the modules of a staged Source as files whose bytes are those that were listed.

    They are copied, so that what is imported is what was checked.

    Args:
        source: The Source; None where there are no modules.

    Raises:
        UserError: A file changed since it was listed.
    """
    if source is None:
        yield UsersModules()
        return
    opened = Source.open(source)
    with tempfile.TemporaryDirectory() as folder:
        files = tuple(Path(folder, file.name) for file in opened.files)
        for file, copy in zip(opened.files, files, strict=True):
            shutil.copyfile(opened.verified(file), copy)
        yield UsersModules(files)


@contextmanager
def imported(modules: UsersModules, layer: type, keras: str) -> Generator[dict[str, Any]]:
    """Execute the modules; they stay importable as long as this lasts.

    Args:
        modules: Imported in their order; one may import another by its name.
        layer: Class of all layers of the Keras that the model is loaded with.
        keras: How a module imports that Keras, for the error.

    Yields:
        Every class and function that they define, by its name: what Keras calls custom objects.

    Raises:
        UserError: One cannot be imported, or its layers are those of another Keras.
    """
    before = dict(sys.modules)
    found: dict[str, Any] = {}
    folders = list(dict.fromkeys(str(file.parent) for file in modules.files))
    sys.path[:0] = folders
    try:
        for file in modules.files:
            module = _imported(file, before)
            own = {name: item for name, item in vars(module).items() if _defined_in(item, module)}
            _check_keras(own, layer, file.name, keras)
            found |= own
        yield found
    finally:
        for folder in folders:
            sys.path.remove(folder)
        for file in modules.files:
            if file.stem not in before:
                sys.modules.pop(file.stem, None)


def _imported(file: Path, before: dict[str, ModuleType]) -> ModuleType:
    """Import one file under its own name, unless a module before it did."""
    present = sys.modules.get(file.stem)
    if present is not None and file.stem not in before:
        return present
    if present is not None or file.stem in sys.stdlib_module_names:
        raise UserError(
            f"teacher.modules: {file.name} has the name of a module that is installed",
            f"rename it: my_{file.name}",
        )
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec
    assert spec.loader
    module = sys.modules[file.stem] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UserError(
            f"teacher.modules: {file.name} cannot be imported: {type(error).__name__}: {error}",
            "list every file of yours that it imports, too, and import them by their names "
            "(import blocks, not from . import blocks); what else it needs has to be installed "
            "where slimline runs",
        ) from error
    return module


def _defined_in(item: object, module: ModuleType) -> bool:
    return callable(item) and getattr(item, "__module__", None) == module.__name__


def _check_keras(own: dict[str, Any], layer: type, name: str, keras: str) -> None:
    """Refuse layers of the other Keras: the one that loads the model could not call them."""
    for called, item in own.items():
        kinds = {f"{one.__module__}.{one.__qualname__}" for one in getattr(item, "__mro__", ())}
        others = {kind for kind in kinds if kind.endswith("keras.src.engine.base_layer.Layer")}
        others |= {kind for kind in kinds if kind.endswith("keras.src.layers.layer.Layer")}
        if others and not issubclass(item, layer):
            raise UserError(
                f"teacher.modules: {called} in {name} is a layer of another Keras than the model's",
                f"write {keras} in {name}",
            )
