"""A model that others made goes from its file to a release without a line of code changed."""

import json

import numpy as np
import pytest

from components.contract.errors import UserError
from pipelines.config.loading import load
from pipelines.launch.launching import launch
from pipelines.runs.cache import Cache
from pipelines.runs.live.events import StepDone, StepFailed
from pipelines.stores.opening import open_store

CONFIG = """
name: own
task: classification
data: ./data.npz
image: {{height: {height}, width: {width}, channels: {channels}}}
split: {{by: image}}
teacher: {{model: {model}, trusted: true, normalization: {{mean: 0, scale: 1}}}}
variants:
  int8: [{{quantize: {{scheme: int8, input_type: uint8}}}}]
  {more}
baseline: none
devices: [{{kind: host, processes: 1}}]
budgets: {{size_mb: 1, metric: accuracy, drop: 1}}
store: ./store
threads: 1
"""


def write(folder, model, shape, classes, more=""):
    height, width, channels = shape
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(classes), 12)
    images = random.integers(0, 256, (labels.size, *shape), dtype=np.uint8)
    np.savez(folder / "data.npz", images=images, labels=labels)
    config = folder / "own.yaml"
    config.write_text(
        CONFIG.format(model=model, height=height, width=width, channels=channels, more=more)
    )
    return load(config)


def run(config, folder):
    return launch(
        config, store=str(folder / "store"), output=folder / "out", on_event=lambda _: None
    )


@pytest.fixture
def models(shared):
    return shared / "data/models/mlperf_tiny"


def test_a_keras_h5_is_quantized_and_distilled_to_a_release(models, tmp_path):
    more = "tiny: [{distill: {backbone: conv, alpha: 0.25, epochs: 1}}]"
    launched = run(write(tmp_path, models / "pretrainedResnet.h5", (32, 32, 3), 10, more), tmp_path)
    assert launched.outcome == "done", [
        e for e in launched.steps.values() if isinstance(e, StepFailed)
    ]
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert len(manifest["output"]["labels"]) == 10


def test_a_saved_model_is_inference_only_and_says_so(models, tmp_path):
    config = write(tmp_path, models / "kws_ref_model", (49, 10, 1), 12)
    launched = run(config, tmp_path)
    assert launched.outcome == "done", [
        e for e in launched.steps.values() if isinstance(e, StepFailed)
    ]
    # Noise teaches it nothing, so nothing may win; but there is a file, and it runs.
    cache = Cache(open_store(str(tmp_path / "store")), tmp_path / "scratch")
    assert cache.tree(launched.steps["convert-int8"].outputs["lite"]).size_bytes < 80_000
    assert isinstance(launched.steps["evaluate-int8"], StepDone)
    pruned = write(
        tmp_path,
        models / "kws_ref_model",
        (49, 10, 1),
        12,
        "pruned: [{prune: {sparsity: 0.5, epochs: 1}}]",
    )
    with pytest.raises(UserError, match="a program whose weights no step can change") as caught:
        run(pruned, tmp_path)
    assert "put a distill before it" in caught.value.fix
