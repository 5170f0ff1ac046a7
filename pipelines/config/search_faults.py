"""What a configuration can know of an architecture search before it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from components.ml.techniques.distillation_settings import ONLY_FOR
from components.ml.techniques.search_settings import WITHOUT_EXPANSION, SearchSpace
from pipelines.config.configuration import Config
from pipelines.config.faults import Fault
from pipelines.config.hosts import tightest_ms
from pipelines.config.sections import AnswersTeacher

ARCHITECTURE = "architecture"
SEARCHED = "search"

_EXAMPLES: Mapping[str, str] = {
    "backbone": "[conv, mobilenet_v2]",
    "alpha": "[0.125, 0.25, 0.5]",
    "widths": "[[8, 16, 24], [16, 32, 48]]",
    "stem": "[half, full]",
    "residuals": "[[0, 0, 0], [0, 1, 1]]",
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
    if config.budgets.size_mb is None and tightest_ms(config) is None:
        what = "search: there is neither a size nor a latency of this machine to keep to, so "
        what += "everything may be large"
        yield (
            place,
            what,
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
    yield from _block_faults(given)
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


def _block_faults(given: Mapping[str, object]) -> Iterator[Fault]:
    """Refuse a stem and residuals of blocks that no architecture of the space has."""
    widths = given.get("widths")
    if not widths:
        for key in ("stem", "residuals"):
            if given.get(key):
                what = f"search.{key}: it is about the blocks of widths, and search lists no widths"
                yield (SEARCHED, key), what, f"add {_WIDTHS}, or remove {key}"
        return
    lengths = sorted({len(one) for one in _lists(widths)})
    for numbers in _lists(given.get("residuals")):
        if lengths and len(numbers) not in lengths:
            blocks = " or ".join(map(str, lengths))
            what = f"search.residuals: {numbers} has {len(numbers)} numbers, and widths "
            fitting = [*numbers, *[0] * lengths[-1]][: lengths[-1]]
            yield (
                (SEARCHED, "residuals"), f"{what}{blocks} blocks", f"write {fitting} in its place",
            )  # fmt: skip


_WIDTHS = "widths: [[8, 16, 24]]"


def _lists(given: object) -> list[list[object]]:
    """Return the lists that a list of lists holds; what else it holds is refused elsewhere."""
    listed = cast("list[object]", given) if isinstance(given, list) else []
    return [cast("list[object]", one) for one in listed if isinstance(one, list)]


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
