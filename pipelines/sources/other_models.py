"""Models in forms that are not read: told by name, each with a way that works."""

from __future__ import annotations

import re
from collections.abc import Sequence

from components.contract.errors import UserError

_ANSWERS = (
    "let it answer every image and learn from the answers: "
    "np.savez('answers.npz', paths=paths, outputs=outputs), with teacher: {outputs: ./answers.npz}"
)
_FORMS = {
    r"\.(pt|pth|ckpt|bin|pkl|pickle|joblib)$": ("a checkpoint or pickle", _ANSWERS),
    r"\.onnx$": ("ONNX", _ANSWERS),
    r"\.(tflite|lite)$": (
        "a .tflite file, which is already converted",
        f"give the model that it was converted from; or {_ANSWERS}",
    ),
    r"\.safetensors$": (
        "weights without an architecture",
        (
            "where slimline wrote them, begin a training from them: teacher: {backbone: ..., "
            f"weights: FILE}}; where another framework did, {_ANSWERS}"
        ),
    ),
    r"(^|/)saved_model\.pb$": (
        "a SavedModel without its weights",
        "give the folder that saved_model.pb lies in",
    ),
    r"\.pb$": ("a graph of TensorFlow 1", _ANSWERS),
    r"\.(zip|tar|tgz|tar\.(gz|bz2|xz)|7z|rar)$": (
        "an archive",
        (
            "unpack it, as with python -m zipfile -e FILE FOLDER or tar -xf FILE -C FOLDER, and "
            "give the model in it"
        ),
    ),
}
_BESIDE = re.compile(r"\.(json|txt|md|yaml|model)$|(^|/)LICENSE$", re.IGNORECASE)


def check_model_form(uri: str, names: Sequence[str]) -> None:
    """Refuse a model of which all files but descriptions are of a form that is not read.

    Args:
        uri: What the user wrote.
        names: The file, or the files of a folder.

    Raises:
        UserError: Names the form, and what to do with such a model.
    """
    weights = [name for name in names if not _BESIDE.search(name)]
    for pattern, (form, fix) in _FORMS.items():
        if weights and all(re.search(pattern, name, re.IGNORECASE) for name in weights):
            raise UserError(f"teacher.model: {uri} is {form}", fix)
