"""Metadata is for MediaPipe: what that does not take, and the fix that is given applied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from components.contract.errors import UserError
from pipelines.config.loading import load

STUDENT = {"distill": {"backbone": "conv"}}


def written(tmp_path: Path, channels: int = 3, **edges: str) -> Path:
    quantize: dict[str, Any] = {"scheme": "int8", **edges}
    content = {
        "name": "shapes",
        "task": "classification",
        "data": "./data",
        "image": {"height": 8, "width": 8, "channels": channels},
        "teacher": {"backbone": "conv"},
        "variants": {"small": [STUDENT, {"quantize": quantize}]},
        "convert": {"metadata": True},
    }
    path = tmp_path / "shapes.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize(
    ("broken", "what", "fix", "fixed"),
    [
        ({"channels": 1}, "3 channels, and image.channels is 1", "channels: 3", {"channels": 3}),
        ({"input_type": "int8"}, "small.*input_type: .*takes uint8", "input_type: uint8",
         {"input_type": "uint8"}),
        ({"output_type": "int8"}, "small.*output_type: .*takes uint8", "output_type: uint8",
         {"output_type": "uint8"}),
    ],
)  # fmt: skip
def test_what_mediapipe_does_not_take_is_refused_before_anything_runs(
    tmp_path: Path, broken: dict[str, Any], what: str, fix: str, fixed: dict[str, Any]
) -> None:
    with pytest.raises(UserError, match=what) as caught:
        load(written(tmp_path, **broken))
    assert fix in caught.value.fix
    load(written(tmp_path, **fixed))


def test_without_metadata_all_of_it_is_fine(tmp_path: Path) -> None:
    path = written(tmp_path, channels=1, input_type="int8", output_type="int8")
    path.write_text(path.read_text().replace("metadata: true", "metadata: false"))
    load(path)
