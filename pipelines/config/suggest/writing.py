"""A suggestion as YAML that people edit: reasons as comments, anchors for what is shared."""

from __future__ import annotations

import json
import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import yaml

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from pipelines.config.suggest.plan import SuggestedStep, SuggestedVariant
from pipelines.config.suggest.situation import Situation, TeacherKind
from pipelines.config.suggest.tree import Suggestion

_COLUMNS = 100
_TOGETHER = ":\N{NO-BREAK SPACE}"
_OPENING = "# Suggested for "
_REPLACED = ("auto", "variants")
_LARGE_SHARE = 0.5
"""Of the time, beyond which a teacher that is trained leaves little for variants."""
_TEACHERS: Mapping[TeacherKind, str] = {
    "trained": "a teacher that is trained here",
    "imported": "a teacher of your own, which can be trained further",
    "saved_model": "a teacher of your own that can only be run, so its network stays as it is",
    "answers": "a teacher known by its answers, so that students alone are possible",
}


def variants_block(suggestion: Suggestion) -> str:
    """Return the key ``variants`` as text, with what it was made for and a reason for each."""
    lines = [*_comment(_summary(suggestion)), "variants:"]
    shared = Counter(_identity(step) for variant in suggestion.variants for step in variant.path)
    named: set[str] = set()
    for variant in suggestion.variants:
        lines += _comment(variant.reason, "  ")
        lines += _variant(variant, shared, named)
    return "\n".join(lines) + "\n"


def with_variants(text: str, suggestion: Suggestion) -> str:
    """Return the text of a configuration with suggested variants; all else stays as it is.

    Args:
        text: A configuration, which may have variants and ``auto`` already.
        suggestion: What stands in their place.

    Raises:
        UserError: Something else refers to what the variants there have defined.
    """
    lines = text.splitlines()
    node = _composed(text)
    assert isinstance(node, yaml.MappingNode), "it was loaded before"
    if node.flow_style:
        raise UserError(
            "the whole configuration is one mapping in braces, where no key has lines of its own",
            "write its keys below each other, as slimline init does",
        )
    place, removed = len(lines), set[int]()
    starts = [*(key.start_mark.line for key, _ in node.value), len(lines)]
    for number, (key, _) in enumerate(node.value):
        if key.value in _REPLACED:
            first, end = _without_others(lines, starts[number], starts[number + 1])
            removed |= set(range(first, end))
            place = min(place, first)
    block = variants_block(suggestion).splitlines()
    kept = [line for number, line in enumerate(lines) if number not in removed]
    place -= sum(number < place for number in removed)
    before, after = kept[:place], kept[place:]
    made = "\n".join([*before, *([""] if before and before[-1] else []), *block, *after]) + "\n"
    try:
        _composed(made)
    except yaml.MarkedYAMLError as error:
        raise UserError(
            f"the variants there define what another key refers to: {error.problem}",
            "write that out where it is used, or define it in front of variants",
        ) from None
    return made


def _composed(text: str) -> yaml.Node:
    return cast("yaml.Node", yaml.compose(text))  # pyright: ignore[reportUnknownMemberType]


def _without_others(lines: Sequence[str], start: int, end: int) -> tuple[int, int]:
    """Return the lines of a key without comments that are about the next one, and with our own."""
    while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1
    above = start
    while above and lines[above - 1].startswith("#"):
        above -= 1
        if lines[above].startswith(_OPENING):
            return above, end
    return start, end


def _summary(suggestion: Suggestion) -> str:
    situation = suggestion.situation
    size = f"{situation.height} x {situation.width}"
    opening = _OPENING.removeprefix("# ")
    taken, given = max(1, round(suggestion.minutes)), _number(situation.minutes)
    time = f"{taken} of {given} minutes"
    if taken > situation.minutes:  # one variant is suggested whatever it takes
        time = f"{taken} minutes, more than the {given} that are given"
    classes = f" of {situation.outputs:,} classes" if situation.task == "classification" else ""
    source = f"is assumed for 2 cores and {situation.images:,} images{classes} that train"
    text = (
        f"{opening}{situation.task}: {_limits(situation)}; images of {size}, "
        f"{_TEACHERS[situation.teacher]}. The run takes about {time}, as "
        f"{'earlier runs tell' if suggestion.told else source}."
    )
    if suggestion.teacher_minutes > _LARGE_SHARE * situation.minutes and not suggestion.told:
        text += (
            f" The teacher alone takes about {round(suggestion.teacher_minutes)}: fewer epochs or "
            "a smaller backbone of it leave more for variants."
        )
    if suggestion.left_out:
        text += f" No time is left for {', '.join(suggestion.left_out)}."
    return text


def _limits(situation: Situation) -> str:
    size = "files of any size"
    if situation.size_bytes is not None:
        size = f"files of {_number(situation.size_bytes / 1e6)} MB"
    return f"{size}, a drop of {_number(situation.drop)}"


def _number(value: float) -> str:
    return f"{value:.6g}"


def _comment(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text, _COLUMNS, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _variant(variant: SuggestedVariant, shared: Counter[bytes], named: set[str]) -> Iterator[str]:
    yield f"  {variant.name}:"
    for step in variant.path:
        given = _given(step, shared, named)
        line = f"    - {step.component}: {given}"
        if len(line) <= _COLUMNS:
            yield line
            continue
        opening, _, inside = given.partition("{")
        yield f"    - {step.component}: {opening}{{"
        pairs = inside.removesuffix("}").replace(": ", _TOGETHER)
        wrapped = textwrap.wrap(
            pairs, _COLUMNS, initial_indent=" " * 8, subsequent_indent=" " * 8,
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
        yield from (each.replace(_TOGETHER, ": ") for each in wrapped)
        yield "      }"


def _given(step: SuggestedStep, shared: Counter[bytes], named: set[str]) -> str:
    """Return the parameters of a step: an alias where they stand above already."""
    if shared[_identity(step)] == 1:
        return _flow({**step.parameters, **step.more})
    if step.label not in named:
        assert not step.more, "what is shared is defined before anything is added to it"
        named.add(step.label)
        return f"&{step.label} {_flow(step.parameters)}"
    if not step.more:
        return f"*{step.label}"
    more = _flow(step.more).removeprefix("{")
    return f"{{<<: *{step.label}, {more}"


def _flow(parameters: Mapping[str, object]) -> str:
    return "{" + ", ".join(f"{key}: {_value(value)}" for key, value in parameters.items()) + "}"


def _value(value: object) -> str:
    """Write a value as YAML and JSON agree on it, plain words without quotes."""
    if isinstance(value, str) and re.fullmatch(r"[a-z][a-z0-9_]*", value):
        return value
    return json.dumps(value)


def _identity(step: SuggestedStep) -> bytes:
    return canonical_json([step.component, step.label, dict(step.parameters)])
