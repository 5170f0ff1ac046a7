"""What a file of a challenger exceeds of what the champion's file had to keep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, Literal, TypeAlias

from components.artifacts.budgets import Budgets
from components.artifacts.released_files import name_in
from components.statistics.quantities import decimal, exact_places
from pipelines.releases.gate_finding import CannotDecideError
from pipelines.releases.on_devices import held_on_devices
from pipelines.releases.pairs import FilePair
from pipelines.releases.published import PublishedRelease

Weight: TypeAlias = Literal["against", "doubt", "remark"]


def budget_checks(
    pair: FilePair, challenger: PublishedRelease, champion: PublishedRelease
) -> Iterator[tuple[Weight, str]]:
    """Yield how size and the numbers of devices stand to what the champion had to keep.

    Raises:
        CannotDecideError: The manifest of the champion does not say its budgets.
    """
    budgets = budgets_in(pair.champion, champion)
    size, before = _size(challenger, pair.challenger), _size(champion, pair.champion)
    if budgets.size_bytes is not None and size > budgets.size_bytes:
        yield (
            "against",
            f"its {size:,} bytes exceed the {budgets.size_bytes:,} that the champion had to keep",
        )
    if size > before:
        yield "remark", f"it is larger than the champion: {size:,} bytes after {before:,}"
    against, doubts = held_on_devices(pair.challenger, pair.champion, budgets, pair.devices)
    for text in against:
        yield "against", text
    for text in doubts:
        yield "doubt", text


def budgets_in(entry: Mapping[str, Any], published: PublishedRelease) -> Budgets:
    """Return the budgets of a file.

    Args:
        entry: What the manifest says of the file.
        published: The release that it is of.

    Raises:
        CannotDecideError: The manifest is of a version that did not say them.
    """
    known = {item.name for item in fields(Budgets)}
    try:
        given: Mapping[str, Any] = entry["budgets"]
        return Budgets(**{key: value for key, value in given.items() if key in known})
    except (LookupError, TypeError, AttributeError):
        raise CannotDecideError(f"the manifest of {published} does not say its budgets") from None


def exact(number: float) -> str:
    """Return a number with all of its digits."""
    return decimal(number, exact_places(number))


def _size(published: PublishedRelease, entry: Mapping[str, Any]) -> int:
    named = name_in(entry)
    return sum(one.size_bytes for one in published.files if one.path == named)
