"""A configuration for faces, with any variants."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from pipelines.config.configuration import Config
from pipelines.config.loading import load

STUDENT: Mapping[str, object] = {"distill": {"backbone": "mobilenet_v2", "alpha": 0.35}}
INT8: Mapping[str, object] = {"quantize": {"scheme": "int8"}}
PRUNE: Mapping[str, object] = {"prune": {"method": "weights", "sparsity": 0.5}}
BASE: Mapping[str, object] = {
    "name": "faces",
    "task": "verification",
    "data": "./faces",
    "image": {"height": 8, "width": 8, "channels": 1, "maximum": 16},
    "teacher": {"epochs": 3},
    "baseline": "none",
}


def config_of(folder: Path, variants: Mapping[str, object], **more: object) -> Config:
    path = folder / "faces.yaml"
    path.write_text(yaml.safe_dump({**BASE, "variants": variants, **more}, sort_keys=False))
    return load(path)
