"""Forms of data and of models that are not read: told by name, each with a way that works."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from components.contract.errors import UserError

_Forms: TypeAlias = Mapping[str, tuple[str, str]]
"""By the ends of names: what it is, and what to do with it."""

_ARCHIVE = r"\.(zip|tar|tgz|tar\.(gz|bz2|xz)|7z|rar)$"
_UNPACK = "unpack it, as with python -m zipfile -e FILE FOLDER or tar -xf FILE -C FOLDER"
_BESIDE = re.compile(
    r"(?<!\.weights)\.(json|txt|md|yaml|html|lock|model)~?$|(^|/)LICENSE$", re.IGNORECASE
)
"""Files that describe others."""

_SAVED = "np.savez_compressed('data.npz', images=np.stack(images), labels=labels) and give data.npz"
_TFDS_FORM = "a data set of TensorFlow Datasets"
_TFDS_FIX = (
    "load it with tfds.as_numpy(tfds.load(NAME, split='all', as_supervised=True)), "
    f"collect images and labels, then {_SAVED}"
)
_TFDS = re.compile(r"(^|/)dataset_info\.json$")
_DATA_FORMS: _Forms = {
    r"\.tfrecords?(-\d+-of-\d+)?(\.gz)?$": (
        "TFRecord",
        (
            "parse it with tf.data.TFRecordDataset, tf.io.parse_single_example, decode images "
            f"with tf.io.decode_image(...).numpy(), then {_SAVED}"
        ),
    ),
    r"\.(parquet|arrow|feather)$": (
        "Parquet or Arrow",
        (
            "read it with pandas, write each image into a file and the table of files with "
            "table[['path', 'label']].to_csv('list.csv', index=False), and give list.csv"
        ),
    ),
    r"\.npy$": ("an array without labels", f"load it, and its labels, then {_SAVED}"),
    r"\.mat$": ("a file of Matlab", f"read it with scipy.io.loadmat(FILE), then {_SAVED}"),
    r"\.(h5|hdf5)$": ("HDF5", f"read its arrays with h5py.File(FILE), then {_SAVED}"),
    r"\.(pkl|pickle|joblib)$|(^|/)((data|test)_batch(_\d)?|batches\.meta|train|test|meta)$": (
        "a pickle, which runs whatever it likes when it is opened",
        f"open it yourself if you trust it, then {_SAVED}",
    ),
    r"\.bin$": (
        "a file of bare numbers",
        (
            "read it with np.fromfile(FILE, 'uint8') and divide labels from pixels as its "
            f"description says, then {_SAVED}"
        ),
    ),
    _ARCHIVE: ("an archive", f"{_UNPACK}, and give the folder"),
}
_ANSWERS = (
    "let it answer every image and learn from the answers: "
    "np.savez('answers.npz', paths=paths, outputs=outputs), with teacher: {outputs: ./answers.npz}"
)
_SAVE_WHOLE = (
    "load them into the model that they are of, and save all of it: model.save('model.keras')"
)
_UNZIPPED = frozenset({"config.json", "model.weights.h5"})
"""What a Keras 3 model is, written by ``model.save(FOLDER, zipped=False)``."""
_UNZIPPED_FIX = (
    "pack it as model.save('model.keras') does, and give the file: "
    "cd FOLDER && python -m zipfile -c ../model.keras *"
)
_MODEL_FORMS: _Forms = {
    r"\.weights\.json$|_\d{5}\.weights\.h5$": (
        "weights in parts, without an architecture",
        _SAVE_WHOLE,
    ),
    r"(^|/)variables\.(index|data-\d+-of-\d+)$": (
        "a SavedModel that has no saved_model.pb",
        "give the folder that holds both saved_model.pb and variables, copied whole",
    ),
    r"\.index$|\.data-\d+-of-\d+$|(^|/)checkpoint$": (
        "a checkpoint of TensorFlow, which is weights without an architecture",
        _SAVE_WHOLE,
    ),
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
    _ARCHIVE: ("an archive", f"{_UNPACK}, and give the model in it"),
}


def check_form(uri: str, names: Sequence[str]) -> None:
    """Refuse data of which all files but descriptions are of a form that is not read.

    Args:
        uri: What the user wrote.
        names: The files there.

    Raises:
        UserError: Names the form, and how to write the data in one that is read.
    """
    if found := _form_of(names, _DATA_FORMS):
        form, fix = (_TFDS_FORM, _TFDS_FIX) if any(map(_TFDS.search, names)) else found
        raise UserError(f"{uri} is {form}, which is not read", fix)


def check_model_form(uri: str, names: Sequence[str]) -> None:
    """Refuse a model of which all files but descriptions are of a form that is not read.

    Args:
        uri: What the user wrote.
        names: The file, or the files of a folder.

    Raises:
        UserError: Names the form, and what to do with such a model.
    """
    if set(names) >= _UNZIPPED:
        raise UserError(
            f"teacher.model: {uri} is a Keras 3 model that was saved as a folder", _UNZIPPED_FIX
        )
    if found := _form_of(names, _MODEL_FORMS):
        form, fix = found
        raise UserError(f"teacher.model: {uri} is {form}", fix)


def _form_of(names: Sequence[str], forms: _Forms) -> tuple[str, str] | None:
    """Return the form that all files have but those beside them, and what to do with it."""
    files = (name for name in names if not _BESIDE.search(name))
    first = next(files, "")
    likely = [
        (form, found) for form, found in forms.items() if re.search(form, first, re.IGNORECASE)
    ]
    if not likely:  # as of nearly all data: the other files need not be looked at
        return None
    rest = list(files)
    for form, found in likely:
        if all(re.search(form, name, re.IGNORECASE) for name in rest):
            return found
    return None
