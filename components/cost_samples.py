"""Cost samples: small networks whose times tell what others of their kind will cost."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from components.contract.types import (
    CostSamplesOut,
    FromGraph,
    ImageSide,
    Seed,
    Task,
    Threads,
)
from components.ml.techniques.search_settings import SearchSpace

IMAGE = "train"
MEMORY_GB = 6


def cost_samples(
    samples: CostSamplesOut,
    *,
    space: SearchSpace = SearchSpace(),
    cost_networks: Annotated[int, Field(ge=8, le=500)] = 20,
    height: Annotated[ImageSide, FromGraph()],
    width: Annotated[ImageSide, FromGraph()],
    channels: Annotated[Literal[1, 3], FromGraph()],
    task: Annotated[Task, FromGraph()],
    threads: Threads = 2,
    seed: Seed = 0,
) -> None:
    """Draw networks from the space of a search and write each as an int8 file.

    Their weights are random, which changes neither time nor size. Widths are drawn between the
    smallest and the largest of the space, all else from what may be chosen.

    Args:
        samples: ``samples.json``, and a LiteModel in a folder of its own for each network.
        space: What architectures are made of.
        cost_networks: How many networks, count.
        height: Rows of the images.
        width: Columns.
        channels: 1 for grey, 3 for colour.
        task: verification or classification.
        threads: Threads of TensorFlow, count.
        seed: Of what is drawn.

    Raises:
        UserError: The space holds too few different networks.
    """
    from components.ml.runtime import configure
    from components.ml.techniques import cost_sampling

    configure(threads, seed)
    cost_sampling.write_samples(
        samples,
        space=space,
        count=cost_networks,
        image=(height, width, channels),
        task=task,
        seed=seed,
    )
