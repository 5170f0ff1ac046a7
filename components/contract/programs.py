"""SavedModels as teachers: what can be said of them before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from components.contract.errors import UserError

TRUST = (
    "set trusted: true if you made this file yourself (what is in it is then executed); if not, "
    "ask for it as a Keras 2 .keras or .h5 of plain layers"
)
TRUST_MODULES = (
    "set trusted: true under teacher if model and modules are your own; if not, leave modules away"
)


def is_program(names: Iterable[str]) -> bool:
    """Whether the files of a model are those of a SavedModel.

    Args:
        names: Relative POSIX paths.
    """
    return any(PurePosixPath(name).name == "saved_model.pb" for name in names)


def refuse_program(
    name: str, *, trusted: bool, tower: str, freeze: Sequence[str], modules: bool = False
) -> None:
    """Refuse what cannot be done with a SavedModel, before it is opened.

    Args:
        name: How errors call it.
        trusted: Whether it may be executed.
        tower: The part of it that is asked for; empty for the whole.
        freeze: Its layers that are to stay as they are.
        modules: Whether files that define layers were given.

    Raises:
        UserError: It may not be executed, or its layers would have to be told apart.
    """
    if not trusted:
        raise UserError(f"{name} is a SavedModel, which is a program", TRUST)
    for key, asked in (("tower", tower), ("freeze", freeze)):
        if asked:
            raise UserError(
                f"teacher.{key}: {name} is a SavedModel, whose layers cannot be told apart",
                f"give the Keras file that it was exported from, or leave {key} away",
            )
    if modules:
        raise UserError(
            f"teacher.modules: {name} is a SavedModel, which holds the code of its layers",
            "leave modules away",
        )
