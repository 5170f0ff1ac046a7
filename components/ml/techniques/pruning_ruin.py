"""Ruin of a pruned network: what training costs is told from what pruning does.

Pruning itself costs something, and training may or may not bring it back. What it costs is known
where the pruned network is measured before it is trained: a training that leaves it far below that
has destroyed what it began with (see ``training/ruin.py``), and is begun again. Networks without
batch norms that take pixels of 0 to 255 are in danger; batch norms, which pruning keeps, bring what
they read back to its usual size. A network that knows next to nothing once it is pruned cannot be
judged this way, and is not.
"""

from __future__ import annotations

from pathlib import Path

from components.artifacts import answers
from components.artifacts.model import ModelInfo
from components.ml.training.folder_outputs import outputs_of_folder
from components.ml.training.ruin import floor_of
from components.ml.training.validation import SPLIT, Validation


def floor_of_pruned(
    untrained: float, validation: Validation, teacher: Path | None = None,
    image_shape: tuple[int, int, int] | None = None,
) -> float | None:  # fmt: skip
    """Return the metric below which training has ruined a pruned network; None: it has none.

    Who follows a teacher that knows less than itself is not ruined, but learns what it is to learn.

    Args:
        untrained: Validation metric of the pruned network before it is trained, 0 to 1.
        validation: What measures it.
        teacher: The Model whose answers it learns, if not its own.
        image_shape: Of the dataset; needed with a teacher.
    """
    known = untrained
    if teacher is not None:
        theirs_nt = answers.stored(teacher, SPLIT)
        if theirs_nt is None:
            outputs = outputs_of_folder(teacher, ModelInfo.read(teacher), image_shape)
            known = min(known, validation.measure(outputs))
        else:
            known = min(known, validation.measure_answers(theirs_nt))
    return floor_of(known, validation.guessed)
