"""What a configuration can know of an architecture search before it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from components.ml.techniques.distillation_settings import ONLY_FOR
from components.ml.techniques.search_settings import WITHOUT_EXPANSION, SearchSpace
from pipelines.config.configuration import Config
from pipelines.config.faults import Fault
from pipelines.config.sections import AnswersTeacher

ARCHITECTURE = "architecture"
SEARCHED = "search"

_EXAMPLES: Mapping[str, str] = {
    "backbone": "[conv, mobilenet_v2]",
    "alpha": "[0.125, 0.25, 0.5]",
    "widths": "[[8, 16, 24], [16, 32, 48]]",
    "depth": "[1.0, 2.0]",
    "expansion": "[2, 4]",
    "head": "[pooled, depthwise]",
    "resolution": "[16, 32]",
    "embedding": "[32, 64]",
    "steps": "[80, 320]",
}
"""Keys that list what may be chosen, with a list that holds something."""


def search_faults(config: Config) -> Iterator[Fault]:
    """Check that a search is used, has budgets, and a space that holds something."""
    used = list(_using(config))
    if config.search is None:
        for location in used:
            what = f"variants.{location[1]} takes an architecture that a search found"
            yield (
                location,
                f"{what}, and there is no search",
                "write search: {candidates: 30} at the top, or remove architecture there",
            )
        return
    place = (SEARCHED,)
    if not used:
        yield (
            place,
            "search: no variant takes what it finds",
            "begin one with {distill: {architecture: search}}, or remove search",
        )
    own = (config.budgets.by_device or {}).values()
    times = [config.budgets.latency_ms, *(limits.get("latency_ms") for limits in own)]
    if config.budgets.size_mb is None and not any(times):
        yield (
            place,
            "search: there is neither a size nor a latency to keep to, so everything may be large",
            "write budgets: {size_mb: 0.05}, or remove search",
        )
    yield from _empty_faults(config.search)
    yield from _idle_faults(config, config.search)
    yield from _learning_faults(config, config.search)


def uses_search(parameters: Mapping[str, object]) -> bool:
    """Whether a step takes its architecture from a search."""
    return parameters.get(ARCHITECTURE) == SEARCHED


def _using(config: Config) -> Iterator[tuple[str, str, int, str, str]]:
    for name, path in config.variants.items():
        for index, step in enumerate(path):
            if step.component == "distill" and uses_search(step.parameters):
                yield "variants", name, index, "distill", ARCHITECTURE


def _empty_faults(given: Mapping[str, object]) -> Iterator[Fault]:
    for key, example in _EXAMPLES.items():
        if given.get(key) == []:
            what = f"search.{key}: it lists nothing that could be chosen"
            yield (SEARCHED, key), what, f"write {key}: {example}, or remove {key}"
    listed = given.get("steps")
    steps = cast("list[object]", listed) if isinstance(listed, list) else []
    if all(isinstance(each, int) for each in steps):
        ordered = sorted(set(cast("list[int]", steps)))
        if ordered != steps:
            what = f"search.steps: each training is longer than the one before, and it is {steps}"
            yield (SEARCHED, "steps"), what, f"write steps: {ordered}"


def _idle_faults(config: Config, given: Mapping[str, object]) -> Iterator[Fault]:
    """Refuse what no architecture of the space could have."""
    backbones = given.get("backbone", SearchSpace().listed("backbone"))
    named: Sequence[object] = (
        cast("Sequence[object]", backbones) if isinstance(backbones, list | tuple) else ()
    )
    if "widths" in given and named and "conv" not in named:
        what = "search.widths: they are of conv, which search.backbone does not list"
        yield (SEARCHED, "widths"), what, "add conv to backbone, or remove widths"
    if "alpha" in given and given.get("widths") and list(named) == ["conv"]:
        what = "search.alpha: conv has widths in its place, and no other backbone is listed"
        yield (SEARCHED, "alpha"), what, "remove alpha, or remove widths"
    if "expansion" in given and named and all(name in WITHOUT_EXPANSION for name in named):
        what = f"search.expansion: {' and '.join(map(str, named))} widen nothing"
        yield (SEARCHED, "expansion"), what, "remove expansion, or add mobilenet_v2 to backbone"
    side, sides = min(config.image.height, config.image.width), given.get("resolution")
    if isinstance(sides, list):
        for one in cast("list[object]", sides):
            if isinstance(one, int) and one > side:
                what = f"search.resolution: {one}, and the images have {side} pixels"
                fitting = [each for each in cast("list[object]", sides) if each != one] or [side]
                yield (SEARCHED, "resolution"), what, f"write resolution: {fitting}"
                break
    for key in ("embedding", "embedding_norm"):
        if given.get(key) and config.task == "classification":
            what = f"search.{key}: classification has no embedding"
            yield (SEARCHED, key), what, f"remove {key}, or write task: verification"


def _learning_faults(config: Config, given: Mapping[str, object]) -> Iterator[Fault]:
    """Refuse what candidates cannot learn."""
    for key in ("hint_weight", "attention_weight", "hint_layers"):
        if given.get(key):
            what = f"search.{key}: it is about layers, and every architecture has others"
            yield (SEARCHED, key), what, f"remove {key} there; distill may have it"
    for task, keys in ONLY_FOR.items():
        for key in keys if task != config.task else ():
            if key in given:
                what = f"search.{key}: it is for {task}, and the task is {config.task}"
                yield (SEARCHED, key), what, f"remove {key}"
    yield from _view_faults(config, given)


def _view_faults(config: Config, given: Mapping[str, object]) -> Iterator[Fault]:
    """Refuse views of images that cannot be had."""
    if isinstance(config.teacher, AnswersTeacher):
        for key in ("mixup", "turns"):
            if given.get(key):
                what = f"search.{key}: the teacher is known by its answers to images as they are"
                yield (SEARCHED, key), what, f"remove {key}"
    elif given.get("turns") and config.task == "classification":
        what = "search.turns: a class that is turned stays what it is"
        yield (SEARCHED, "turns"), what, "remove turns, or write task: verification"
    elif given.get("turns") and config.image.height != config.image.width:
        what = "search.turns: images that are not square do not fit when they are turned"
        yield (SEARCHED, "turns"), what, "remove turns, or make image square"
