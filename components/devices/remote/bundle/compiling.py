"""Compile sources in place: runs in a Python of the bundle's own version, as text.

    python - FOLDER < compiling.py

Every ``X.py`` below the folder becomes ``X.pyc`` beside it, which Python loads without the source
and without a look at any date. Needs Python 3.11 and nothing else. The second version of marshal's
form is the last one whose bytes hang on the code alone, and not on what else refers to a constant.
"""

# ruff: noqa: PTH108, PTH118, PTH123 (pathlib takes longer to load than the rest)

import importlib.util
import marshal
import os
import sys

UNCHECKED = 1
MARSHAL_FORM = 2


def main(folder: str) -> None:
    """Compile all; a source that is none, such as a template, is left out."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name.endswith(".py"):
                compiled(os.path.join(parent, name), folder)


def compiled(path: str, folder: str) -> None:
    """Write the bytecode of one source, and remove the source."""
    with open(path, "rb") as file:
        source = file.read()
    os.unlink(path)
    try:
        code = compile(source, os.path.relpath(path, folder), "exec", dont_inherit=True, optimize=0)
    except SyntaxError:
        return
    with open(path + "c", "wb") as file:
        file.write(importlib.util.MAGIC_NUMBER)
        file.write(UNCHECKED.to_bytes(4, "little"))
        file.write(importlib.util.source_hash(source))
        file.write(marshal.dumps(code, MARSHAL_FORM))


if __name__ == "__main__":
    main(sys.argv[1])
