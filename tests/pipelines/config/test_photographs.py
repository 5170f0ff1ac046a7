"""The example of photographs: valid, explained on a folder of one's own, and run on a small one."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.runs.graph import SourceRef
from tests.pipelines.cli.command_line import ROOT, slimline

EXAMPLE = ROOT / "pipelines" / "examples" / "photographs.yaml"
PAGE = ROOT / "docs" / "photographs.md"
WEIGHTS = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"


def photographs(folder: Path, each: int, height: int = 60, width: int = 80) -> None:
    """Write JPEG files of two classes: a warm light from the left, a cold one from the right."""
    random = np.random.default_rng(0)
    for label, colour in (("dusk", (230, 120, 40)), ("noon", (60, 140, 230))):
        (folder / label).mkdir(parents=True)
        for number in range(each):
            slope = np.linspace(1.0, 0.2, width)[:: 1 if label == "dusk" else -1]
            light = slope[None, :, None] * np.array(colour) + random.normal(
                0, 20, (height, width, 3)
            )
            pixels = light.clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{number}.jpg", quality=92)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder as the page describes it."""
    photographs(tmp_path / "photographs", each=40)
    (tmp_path / WEIGHTS).write_bytes(b"weights")
    (tmp_path / "photographs.yaml").write_text(EXAMPLE.read_text())
    return tmp_path


def test_it_is_what_its_page_says() -> None:
    config = load(EXAMPLE)
    assert (config.budgets.size_mb, config.budgets.latency_ms) == (5, 100)
    assert (config.image.height, config.image.width, config.image.channels) == (224, 224, 3)
    page = PAGE.read_text()
    for word in (WEIGHTS, "pipelines/examples/photographs.yaml", *config.variants):
        assert word in page
    train = next(step for step in graph_of(config).steps if step.name == "train")
    assert train.inputs["weights"] == SourceRef("weights")
    readme = (EXAMPLE.parent / "README.md").read_text()
    assert "`photographs.yaml`" in readme
    assert "docs/photographs.md" in readme


def test_it_is_explained_on_a_folder_of_ones_own(mine: Path) -> None:
    done = slimline("explain", "photographs.yaml", "--store", "st", "--json", cwd=mine, check=0)
    steps = {step["step"]: step["state"] for step in json.loads(done.stdout)["steps"]}
    assert {"ingest", "train", "distill-mobilenet-v2-035", "select", "publish"} <= set(steps)
    assert "cached" not in steps.values()


def test_weights_that_are_not_there_are_named_and_the_fix_works(mine: Path) -> None:
    (mine / WEIGHTS).unlink()
    done = slimline("explain", "photographs.yaml", "--store", "st", cwd=mine, check=2)
    assert WEIGHTS in done.stderr
    assert "fix:" in done.stderr
    (mine / WEIGHTS).write_bytes(b"weights")
    slimline("explain", "photographs.yaml", "--store", "st", cwd=mine, check=0)


def small(given: dict[str, Any]) -> dict[str, Any]:
    """The example at 32 pixels, its narrowest network, and one variant of few epochs."""
    teacher = {
        **given["teacher"], "alpha": 0.35, "epochs": 8, "batch": 8, "learning_rate": 1e-3,
        "batch_norm_momentum": 0.5,
    }  # fmt: skip
    return {
        **given,
        "image": {**given["image"], "height": 32, "width": 32},
        "split": {**given["split"], "validation": 0.1, "selection": 0.3, "sealed": 0.2},
        "teacher": teacher,
        "variants": {"teacher-int8": given["variants"]["teacher-int8"]},
        "devices": [{"kind": "host", "processes": 1, "blocks": 2, "block_ms": 2.0}],
        "budgets": {**given["budgets"], "drop": 0.9},
        "baseline": "none",
    }


@pytest.mark.slow
def test_a_small_folder_goes_all_the_way_from_a_file_of_weights(mine: Path) -> None:
    made = (
        "import sys, tf_keras; tf_keras.applications.MobileNetV2(input_shape=(32, 32, 3), "
        "alpha=0.35, weights=None, include_top=False).save_weights(sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", made, mine / WEIGHTS], check=True, capture_output=True)
    config = small(yaml.safe_load((mine / "photographs.yaml").read_text()))
    (mine / "photographs.yaml").write_text(yaml.safe_dump(config))
    done = slimline("run", "photographs.yaml", "--store", "st", "--json", cwd=mine)
    assert done.returncode == 0, done.stdout + done.stderr
    release = mine / "slimline-out" / "photographs"
    manifest = json.loads((release / "manifest.json").read_bytes())
    assert manifest["output"]["labels"] == ["dusk", "noon"]
    assert (release / "model.tflite").stat().st_size < 5_000_000
    assert f"backbone from {WEIGHTS}" in json.dumps(manifest["steps"])
