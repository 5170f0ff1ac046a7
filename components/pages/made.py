"""How the files were made: trainings, sizes along a path, what the bytes are, how they run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from components.artifacts.decision import Candidate, Decision
from components.artifacts.history import Curve, LayerError
from components.artifacts.making import Making
from components.pages.charts.anatomy import FileParts, anatomy_svg
from components.pages.charts.sensitivity import sensitivity_svg
from components.pages.charts.svg import NARROW, WIDE
from components.pages.charts.training import training_svg
from components.pages.charts.waterfall import PathStage, waterfall_svg
from components.pages.groups import shown_variant
from components.pages.words import count, steps_in_words
from components.statistics.metrics import METRICS
from components.statistics.quantities import decimal, short_bytes

_FLOAT_BYTES = 4
LAYERS_SHOWN = 12
"""Of the layers of a file so many are drawn, those of the largest error."""
_NAMED_MOST = 5


@dataclass(frozen=True)
class Panel:
    """A picture with its heading, in one drawing.

    Attributes:
        title: Heading.
        note: A sentence below it.
        drawing: The picture.
    """

    title: str
    note: str
    drawing: Markup


@dataclass(frozen=True)
class FilesMade:
    """Everything below the heading "How the files were made".

    Attributes:
        path: Steps and sizes of the variant that is shown, for desks and for phones; None where
            nothing tells of them.
        path_name: Its name.
        other_paths: Those of the others.
        trainings: Of the variant that is shown, and of the reference.
        other_trainings: Of the others.
        anatomy: Bytes of all files by what they are there for, for desks and for phones.
        sensitivity: Errors by layer, where they were measured.
        heads: Titles of the table of files.
        rows: Name of each variant, and for each column its value and a note.
        unknown: Variants of which nothing tells how they were made.
    """

    path: tuple[Markup, Markup] | None
    path_name: str
    other_paths: tuple[Panel, ...]
    trainings: tuple[Panel, ...]
    other_trainings: tuple[Panel, ...]
    anatomy: tuple[Markup, Markup] | None
    sensitivity: tuple[Panel, ...]
    heads: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    unknown: tuple[str, ...]


def made_of(decision: Decision, makings: Mapping[str, Making]) -> FilesMade:
    """Return what pages tell of how the files of a decision were made.

    Args:
        decision: Its variants.
        makings: How each file came about, by name, as far as that is known.
    """
    shown = shown_variant(decision)
    known = [one for one in decision.variants if one.name in makings]
    path = None
    if shown in makings:
        stages = _stages(decision.variant(shown), makings[shown])
        wide, narrow = (
            waterfall_svg(stages, name=shown, width=width, ident=f"path-{width}")
            for width in (WIDE, NARROW)
        )
        path = wide, narrow
    open_ones, others = _trainings(decision, makings, {shown, decision.reference})
    return FilesMade(
        path=path,
        path_name=shown,
        other_paths=tuple(
            Panel(
                one.name,
                "",
                waterfall_svg(_stages(one, makings[one.name]), name=one.name, ident=f"path-of-{n}"),
            )
            for n, one in enumerate(known)
            if one.name != shown
        ),
        trainings=open_ones,
        other_trainings=others,
        anatomy=_anatomy(known, makings),
        sensitivity=tuple(_sensitivity(known, makings)),
        heads=_HEADS,
        rows=tuple((one.name, tuple(_cells(makings[one.name]))) for one in known),
        unknown=tuple(
            one.name for one in decision.variants if one.sha256 and one.name not in makings
        ),
    )


def _stages(one: Candidate, making: Making) -> list[PathStage]:
    """Return the sizes along the path of a variant, from its first weights to its download."""
    stages: list[PathStage] = []
    for facts in making.history:
        step = one.steps[facts.step]
        if step.get("component") == "quantize" or not facts.parameters:
            continue  # a plan changes no weight; the file shows what it does
        zeros = min(int(step.get("zeros", 0)), facts.parameters)
        stages.append(
            PathStage(
                f"{steps_in_words([step])}: weights as float32",
                _FLOAT_BYTES * facts.parameters,
                "kept" if stages else "reference",
                _FLOAT_BYTES * zeros,
            )
        )
    stages.append(PathStage(f"the .tflite file, {making.scheme}", one.file_bytes, "second"))
    assert one.gzip_bytes is not None, "a variant with a file has its gzip length"
    stages.append(PathStage("the file after gzip", one.gzip_bytes, "second"))
    stages.append(PathStage("the file after brotli", making.brotli_bytes, "second"))
    return stages


def _trainings(
    decision: Decision, makings: Mapping[str, Making], shown: set[str]
) -> tuple[tuple[Panel, ...], tuple[Panel, ...]]:
    """Return the trainings of some variants and those of the others, each training once."""
    found: dict[tuple[str, Curve], tuple[Sequence[Mapping[str, Any]], list[str]]] = {}
    for one in decision.variants:
        for facts in makings[one.name].history if one.name in makings else ():
            if facts.curve:
                steps = one.steps[: facts.step + 1]
                key = steps_in_words(steps), facts.curve
                found.setdefault(key, (steps, []))[1].append(one.name)
    near: list[Panel] = []
    far: list[Panel] = []
    for number, ((words, curve), (steps, names)) in enumerate(found.items()):
        metric = METRICS[curve.metric].title if curve.metric in METRICS else curve.metric
        of = ", ".join(names[:_NAMED_MOST])
        of += f" and {len(names) - _NAMED_MOST} more" if len(names) > _NAMED_MOST else ""
        kept = f"{curve.kept} kept" if curve.kept else "all worse than the start, which was kept"
        note = f"In {of}: {count(curve.epochs, 'epoch')}, {kept}."
        if curve.before is not None:
            note += f" Dashed: {metric} {decimal(curve.before)} before the step."
        if curve.lowered_to is not None:
            note += f" Learning rate lowered to {curve.lowered_to:g}: higher ones ruined it."
        drawing = training_svg(curve, name=words, metric=metric, ident=f"training-{number}")
        panel = Panel(steps_in_words([steps[-1]]), note, drawing)
        (near if shown & {*names} else far).append(panel)
    return tuple(near), tuple(far)


def _anatomy(known: list[Candidate], makings: Mapping[str, Making]) -> tuple[Markup, Markup] | None:
    files = [FileParts(one.name, one.file_bytes, makings[one.name].anatomy) for one in known]
    if not files:
        return None
    wide, narrow = (
        anatomy_svg(files, width=width, ident=f"anatomy-{width}") for width in (WIDE, NARROW)
    )
    return wide, narrow


def _sensitivity(known: list[Candidate], makings: Mapping[str, Making]) -> Iterator[Panel]:
    drawn: list[tuple[LayerError, ...]] = []
    for one in known:
        for facts in makings[one.name].history:
            if facts.layers and facts.layers not in drawn:
                drawn.append(facts.layers)
                layers = sorted(facts.layers, key=lambda each: -each.error)
                few = layers[:LAYERS_SHOWN]
                note = "What changes in the output when that layer alone is quantized: root mean "
                note += "square, as a share of the output's spread. Hollow: left in float."
                if len(few) < len(layers):
                    note += f" The worst {len(few)} of {len(layers)} layers."
                drawing = sensitivity_svg(few, name=one.name, ident=f"sensitivity-{len(drawn)}")
                yield Panel(f"Layers of {one.name}", note, drawing)


_HEADS = ("Scheme", "Operators", "Delegate (XNNPACK)", "Same answers as Keras", "Download")


def _cells(making: Making) -> Iterator[tuple[str, str]]:
    """Yield of each column of the table of files its value and the small print below it."""
    floats = making.float_operators
    computed = f"in float: {_few(_short(floats))}" if floats else ""
    yield making.scheme, computed
    operators = sum(making.operators.values())
    yield f"{operators:,}", _few([f"{n} {name}" for name, n in _by_count(making.operators)])
    if making.delegate is None:
        yield "unknown", "the file crashed the runtime"
    else:
        inside, outside = making.delegate.inside, making.delegate.outside
        value = f"{inside:,} in {count(making.delegate.partitions, 'partition')}"
        fallen = f"outside: {_few(_short(outside))}" if outside else "nothing outside"
        gpu = list(dict.fromkeys(one.partition(" ")[0] for one in making.gpu_outside))
        if gpu:
            fallen += f". Not documented for a phone's GPU, and not tried: {_few(gpu)}"
        yield value, fallen
    if making.parity is None:
        yield "unknown", "the file crashed the runtime"
    else:
        same = making.parity
        where = same.drawn_from if same.drawn_from != "samples" else "training"
        lowest = f"lowest {same.cosine_min:.4f}, largest difference {same.max_abs:.2g}"
        yield f"cosine {same.cosine_mean:.4f}", f"{lowest}, on {same.images} {where} images"
    yield short_bytes(making.brotli_bytes), "after brotli"


def _short(operators: Sequence[str]) -> list[str]:
    """Name operators by the layer that they come from.

    A converter joins the names of what it folded into one operator by semicolons, each the path of
    a layer and what it computed: ``CONV_2D -> net/block1_relu/Relu;net/block1_conv/BiasAdd;...``.
    """
    found: list[str] = []
    for one in operators:
        kind, arrow, output = one.partition(" -> ")
        path = output.partition(";")[0].split("/")
        found.append(f"{kind}{arrow}{path[-2] if len(path) > 1 else path[-1]}")
    return found


def _by_count(operators: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(operators.items(), key=lambda item: (-item[1], item[0]))


def _few(names: list[str] | tuple[str, ...]) -> str:
    shown = ", ".join(names[:_NAMED_MOST])
    return f"{shown} and {len(names) - _NAMED_MOST} more" if len(names) > _NAMED_MOST else shown
