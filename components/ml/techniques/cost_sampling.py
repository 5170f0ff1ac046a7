"""Cost sampling: networks drawn from a search space, each written as an int8 LiteModel.

Shapes: n images, h rows, w columns, c channels.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from components.artifacts.cost_model import LEAST_SAMPLES
from components.artifacts.cost_samples import CostSample, CostSamples
from components.artifacts.lite_model import MODEL_FILE
from components.artifacts.model import (
    Embedding,
    ImageInput,
    ModelInfo,
    QuantizationPlan,
    Scores,
)
from components.contract.errors import UserError
from components.contract.progress import tell
from components.contract.types import Task
from components.ml.formats import model_folder
from components.ml.lite import repack
from components.ml.lite.checking import refuse
from components.ml.lite.conversion import lite_info
from components.ml.lite.flatbuffer import LiteFile
from components.ml.lite.writing import to_lite
from components.ml.networks.building import build
from components.ml.runtime import tf_keras
from components.ml.settings import Network
from components.ml.techniques.search_settings import SearchSpace
from components.ml.techniques.searched_networks import (
    CountedNetwork,
    counted,
    name_of,
    settings_of,
)

PLAN = QuantizationPlan("int8")  # edges of float32: the usual, and no cheaper than integers
_CLASSES = 10
"""Outputs of the networks for classification; the last layer is a small part of the whole."""
_CALIBRATION_IMAGES = 4
_DRAWS = 20
"""Draws for each network that is wanted, at most: a small space gives the same one again."""
_CHANNELS_LEAST = 4


def write_samples(
    path: Path,
    *,
    space: SearchSpace,
    count: int,
    image: tuple[int, int, int],
    task: Task,
    seed: int,
) -> None:
    """Draw networks and write their LiteModels; see ``components.cost_samples``."""
    chosen = drawn(space, count, image, task, seed)
    samples: list[CostSample] = []
    for place, one in enumerate(chosen):
        tell(phase="networks", part=place, total=len(chosen))
        name = f"{place:03d}-{name_of(one.network, None)}"
        _write_lite(path / name, one, seed)
        outputs = one.info.output.size
        samples.append(CostSample(name, settings_of(one.network), outputs, one.counts))
    tell(phase="networks", part=len(chosen), total=len(chosen))
    CostSamples(image, PLAN.scheme, tuple(samples)).write(path)


def drawn(
    space: SearchSpace, count: int, image: tuple[int, int, int], task: Task, seed: int
) -> list[CountedNetwork]:
    """Draw different networks.

    Args:
        space: What they are made of.
        count: How many.
        image: Height, width and channels.
        task: What they are for.
        seed: Of the draws.

    Raises:
        UserError: There are not enough different ones.
    """
    random = np.random.default_rng(seed)
    found: dict[str, CountedNetwork] = {}
    for _ in range(_DRAWS * count):
        network, outputs = _one(space, min(image[:2]), task, random)
        one = counted(network, info_for(image, task, outputs))
        found.setdefault(one.identity, one)
        if len(found) == count:
            return list(found.values())
    if len(found) < LEAST_SAMPLES:
        raise UserError(
            f"search: {_DRAWS * count} draws from its space gave {len(found)} different networks, "
            f"and a cost model takes {LEAST_SAMPLES}",
            "give more widths under search, such as alpha: [0.125, 0.25, 0.5, 1.0]",
        )
    return list(found.values())


def info_for(image: tuple[int, int, int], task: Task, outputs: int) -> ModelInfo:
    """Return the info of a network that is only counted and timed."""
    classes = tuple(str(place) for place in range(outputs))
    output = Embedding(outputs) if task == "verification" else Scores(classes)
    return ModelInfo(task=task, input=ImageInput(*image), output=output, parameters=0)


def _one(
    space: SearchSpace, shorter_side: int, task: Task, random: np.random.Generator
) -> tuple[Network, int]:
    """Draw the settings of a network and its outputs."""
    backbone = str(_of(space.listed("backbone"), random))
    choices = dict(space.choices(backbone, shorter_side))
    settings: dict[str, Any] = {}
    if "widths" in choices:
        factor = 2.0 ** random.uniform(-1, 1)
        widths = cast("tuple[int, ...]", _of(choices.pop("widths"), random))
        settings["widths"] = [max(_CHANNELS_LEAST, round(one * factor)) for one in widths]
        if behind := space.residuals_behind(len(widths)):
            settings["residuals"] = list(cast("tuple[int, ...]", _of(behind, random)))
    else:
        alphas = cast("tuple[float, ...]", choices.pop("alpha"))
        low, high = min(alphas), max(alphas)
        ends = (low, high) if low < high else (low / 2, high * 2)
        settings["alpha"] = round(math.exp(random.uniform(math.log(ends[0]), math.log(ends[1]))), 4)
    settings |= {name: _of(values, random) for name, values in choices.items()}
    outputs = int(str(_of(space.listed("embedding"), random))) if _embeds(task) else _CLASSES
    norm = space.embedding_norm and _embeds(task)
    return Network(backbone=cast("Any", backbone), embedding_norm=norm, **settings), outputs


def _of(values: Sequence[object], random: np.random.Generator) -> object:
    return values[int(random.integers(len(values)))]


def _embeds(task: Task) -> bool:
    return task == "verification"


def _write_lite(folder: Path, one: CountedNetwork, seed: int) -> None:
    """Write the int8 file of a network with random weights."""
    tf_keras.backend.clear_session()
    tf_keras.utils.set_random_seed(seed)
    model = build(one.network, one.info)
    info = replace(one.info, quantization=PLAN, parameters=int(model.count_params()))
    random = np.random.default_rng(seed)
    pixels_nhwc = random.integers(0, 256, (_CALIBRATION_IMAGES, *info.image_shape))
    images_nhwc = model_folder.normalize(pixels_nhwc.astype(np.uint8), info)
    with tempfile.TemporaryDirectory() as scratch:
        model_folder.export(
            Path(scratch), lambda image: model(image, training=False), model.weights, info
        )
        content = repack.repack(to_lite(Path(scratch), info, images_nhwc)).content
    file = LiteFile.parse(content)
    refuse(file, info)
    folder.mkdir(parents=True)
    (folder / MODEL_FILE).write_bytes(content)
    lite_info(info, file, content).write(folder)
