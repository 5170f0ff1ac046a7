"""The empty result."""

from __future__ import annotations

from pathlib import Path

from components.artifacts.empty import empty_reason, write_empty


def test_the_reason_is_read_back(tmp_path: Path) -> None:
    write_empty(tmp_path / "tree", "nothing keeps to 5 MB")
    assert empty_reason(tmp_path / "tree") == "nothing keeps to 5 MB"
    assert [path.name for path in (tmp_path / "tree").iterdir()] == ["none.json"]


def test_a_tree_with_a_result_has_no_reason(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"")
    assert empty_reason(tmp_path) is None
