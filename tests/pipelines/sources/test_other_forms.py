"""Forms that are not read are named, and the way that the error gives leads to one that is."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.sources.snapshot import snapshot
from tests.data import images as pictures


@pytest.mark.parametrize(
    ("names", "form", "fix"),
    [
        (["a.tfrecord"], "TFRecord", "tf.data.TFRecordDataset"),
        (["a.tfrecord-00000-of-00002", "a.tfrecord-00001-of-00002"], "TFRecord", "data.npz"),
        (["train/a.parquet", "test/a.parquet", "README.md"], "Parquet or Arrow", "to_csv"),
        (["1.0.0/dataset_info.json", "1.0.0/a.tfrecord-00000-of-00001"],
         "a data set of TensorFlow Datasets", "tfds.load"),
        (["batches.meta", "data_batch_1", "test_batch", "readme.html"], "a pickle", "data.npz"),
        (["meta", "train", "test", "file.txt~"], "a pickle", "data.npz"),
        (["data_batch_1.bin", "test_batch.bin", "batches.meta.txt"], "a file of bare numbers",
         "np.fromfile"),
    ],
)  # fmt: skip
def test_forms_that_are_not_read(tmp_path: Path, names: list[str], form: str, fix: str) -> None:
    for name in names:
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_bytes(b"x")
    with pytest.raises(UserError, match=f"is {form}.*, which is not read") as caught:
        snapshot(str(tmp_path / "data"))
    assert fix in caught.value.fix


def test_an_archive_leads_to_its_folder(tmp_path: Path) -> None:
    root = pictures.folder(tmp_path / "data", {"ann": 1, "bob": 1})
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for path in root.rglob("*.png"):
            archive.write(path, path.relative_to(root))
    with pytest.raises(UserError, match="is an archive, which is not read") as caught:
        snapshot(str(tmp_path / "data.zip"))
    assert "unpack it" in caught.value.fix
    zipfile.main(["-e", str(tmp_path / "data.zip"), str(tmp_path / "unpacked")])
    assert snapshot(str(tmp_path / "unpacked")).digest == snapshot(str(root)).digest
