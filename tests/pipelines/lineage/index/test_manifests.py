"""Rows of manifests, as ingest itself writes them."""

from collections import Counter

from pipelines.lineage.index.manifests import is_of_manifest, manifest_rows
from pipelines.sources.snapshot import snapshot, stage
from tests.components.flat import ingest


def test_every_record_of_a_file_has_a_row_and_the_file_its_counts(tmp_path):
    stage(snapshot("package:sklearn/datasets/data/digits.csv.gz"), tmp_path / "source")
    dataset = tmp_path / "dataset"
    ingest(
        tmp_path / "source", dataset, tmp_path / "sealed", tmp_path / "report",
        task="classification", split_by="image", height=8, width=8, channels=1, maximum=16,
        label_column="last", threads=1,
    )  # fmt: skip
    paths = {path.relative_to(dataset).as_posix(): path for path in dataset.rglob("*")}
    rows = manifest_rows(
        {name: path.read_bytes() for name, path in paths.items() if is_of_manifest(name)}
    )
    assert rows.pixels
    assert len(rows.fates) == 1797
    assert all(row.pixels and row.label and row.sha is None for row in rows.fates.values())
    counted = Counter((row.status, row.split or "") for row in rows.fates.values())
    assert counted == {(row.status, row.split): row.count for row in rows.files}
    assert counted["used", "train"] > 500
    assert counted["used", "sealed"] > 100
