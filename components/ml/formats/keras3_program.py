"""Keras 3 files that are executed: loaded by Keras 3 itself, in a process of its own.

What cannot be told in layers of Keras 2 is written as a SavedModel there. It runs apart because one
process has one ``tf.keras``, and here that is Keras 2.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from components.contract.errors import UserError
from components.ml.formats.users_modules import UsersModules, imported

_ROOT = Path(__file__).parents[3]
_TAIL_LINES = 4
_REFUSED = 2


def export(path: Path, folder: Path, name: str, tower: str, modules: UsersModules) -> None:
    """Write what a Keras 3 file computes as a SavedModel; what is in it is executed.

    Args:
        path: The ``.keras`` file.
        folder: Of the SavedModel to write.
        name: How errors call the file.
        tower: Name of the model inside of it that is asked for; empty for the whole.
        modules: Of the user's, with the layers that Keras does not have.

    Raises:
        UserError: Keras 3 cannot load it.
    """
    search = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    own = {"PYTHONPATH": search, "TF_USE_LEGACY_KERAS": "0", "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(
        [sys.executable, "-m", __name__, str(path), str(folder), tower, *map(str, modules.files)],
        env={**os.environ, **own, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode == _REFUSED:
        what, _, fix = done.stdout.decode().strip().rpartition("\n")
        raise UserError(what, fix)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()[-_TAIL_LINES:]
        raise UserError(
            f"{name} cannot be loaded by Keras 3: {' '.join(said)}",
            "list every file that defines a layer of yours: modules: [./layers.py]"
            if not modules.files
            else f"define what it names in {modules.names}, or list the file that does, too",
        )


def _main() -> None:
    import keras

    parser = argparse.ArgumentParser()
    parser.add_argument("path")
    parser.add_argument("folder")
    parser.add_argument("tower")
    parser.add_argument("modules", nargs="*", type=Path)
    given = parser.parse_args()
    try:
        modules = UsersModules(tuple(given.modules))
        with imported(modules, keras.Layer, "import keras") as known:
            model: Any = keras.saving.load_model(
                given.path, custom_objects=known, compile=False, safe_mode=False
            )
            if given.tower:
                model = model.get_layer(given.tower)
            model.export(given.folder, verbose=False)
    except UserError as error:
        print(f"{error.what}\n{error.fix}")  # noqa: T201 read by who started this process
        sys.exit(_REFUSED)


if __name__ == "__main__":
    _main()
