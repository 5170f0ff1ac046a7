"""What an app that holds the champion would have to change for the challenger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_INPUT = ("shape", "dtype", "layout", "channels", "pixels", "takes_pixels", "framing")
_OUTPUT = ("shape", "dtype", "meaning", "activation", "labels")
_COMPARE = ("normalize", "similarity")
_READ = (("input", "normalization"), ("input", "quantization"), ("output", "quantization"))
"""Numbers that an app reads from ``manifest.json`` each time: they may change with the model."""


def interface_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what differs in what the model takes and gives, each as a sentence.

    Args:
        before: Manifest of the champion.
        now: Manifest of the challenger.
    """
    pairs = [("task", before.get("task"), now.get("task"))]
    for part, keys in (("input", _INPUT), ("output", _OUTPUT)):
        pairs += [(f"{part}.{key}", _at(before, part, key), _at(now, part, key)) for key in keys]
    pairs += [
        (f"output.compare.{key}", _at(before, "output", "compare", key),
         _at(now, "output", "compare", key))
        for key in _COMPARE
    ]  # fmt: skip
    return [
        f"{place} was {_shown(old)} and is {_shown(new)}" for place, old, new in pairs if old != new
    ]


def interface_remarks(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what changes without an app's noticing, if it reads the manifest each time."""
    remarks: list[str] = []
    changed = [".".join(place) for place in _READ if _at(before, *place) != _at(now, *place)]
    if changed:
        remarks.append(f"apps must read {', '.join(changed)} from the new manifest.json")
    if now.get("task") == "verification" and before.get("sha256") != now.get("sha256"):
        remarks.append("embeddings of the two models cannot be compared: apps compute theirs again")
    return remarks


def _at(manifest: Mapping[str, Any], *place: str) -> Any:
    value: Any = manifest
    for key in place:
        value = value.get(key) if isinstance(value, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return value  # pyright: ignore[reportUnknownVariableType]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
