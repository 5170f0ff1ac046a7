"""Forms of data that are not read: told by name, each with the way to one that is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from components.contract.errors import UserError

_SAVED = "np.savez_compressed('data.npz', images=np.stack(images), labels=labels) and give data.npz"
_TFDS_FORM = "a data set of TensorFlow Datasets"
_TFDS_FIX = (
    "load it with tfds.as_numpy(tfds.load(NAME, split='all', as_supervised=True)), "
    f"collect images and labels, then {_SAVED}"
)
_TFDS = re.compile(r"(^|/)dataset_info\.json$")
_FORMS = {
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
    r"\.(zip|tar|tgz|tar\.(gz|bz2|xz)|7z|rar)$": (
        "an archive",
        (
            "unpack it, as with python -m zipfile -e FILE FOLDER or tar -xf FILE -C FOLDER, "
            "and give the folder"
        ),
    ),
}
_BESIDE = re.compile(r"\.(json|txt|md|yaml|lock)$|(^|/)LICENSE$", re.IGNORECASE)


def check_form(uri: str, names: Sequence[str]) -> None:
    """Refuse data of which all files but descriptions are of a form that is not read.

    Args:
        uri: What the user wrote.
        names: The files there.

    Raises:
        UserError: Names the form, and how to write the data in one that is read.
    """
    data = [name for name in names if not _BESIDE.search(name)]
    for pattern, (form, fix) in _FORMS.items():
        if data and all(re.search(pattern, name, re.IGNORECASE) for name in data):
            if any(map(_TFDS.search, names)):
                raise UserError(f"{uri} is {_TFDS_FORM}, which is not read", _TFDS_FIX)
            raise UserError(f"{uri} is {form}, which is not read", fix)
