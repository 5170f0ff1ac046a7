"""Rankings: variants whose order by speed differs between devices, as far as that is certain."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from components.artifacts.decision import Candidate, RankingDifference, Timing

_BELIEVED = ("stable", "disturbed")


def ranking_differences(
    candidates: Sequence[Candidate], winner: str | None = None
) -> tuple[RankingDifference, ...] | None:
    """Return every pair of variants of which each is the faster one on some device.

    Args:
        candidates: All that were measured.
        winner: Whose pairs come first.

    Returns:
        In no order of the candidates: pairs with the winner first, then by how far the order is
        turned round, then by name. None where fewer than two devices timed anything.
    """
    timed = {
        device: None for one in candidates for device, item in one.latency.items() if item.p50_ms
    }
    if len(timed) < 2:
        return None
    found: list[tuple[tuple[object, ...], RankingDifference]] = []
    ordered = sorted(candidates, key=lambda one: (one.name != winner, one.name))
    for one, other in combinations(ordered, 2):
        ahead = _faster(one, other, tuple(timed))
        behind = _faster(other, one, tuple(timed))
        if ahead and behind:
            turned = min(max(ahead.values()), max(behind.values()))
            difference = RankingDifference(one.name, other.name, tuple(ahead), tuple(behind))
            found.append(((one.name != winner, -turned, one.name, other.name), difference))
    return tuple(difference for _, difference in sorted(found, key=lambda each: each[0]))


def _faster(one: Candidate, other: Candidate, devices: Sequence[str]) -> dict[str, float]:
    """Return by device how many times as long the other takes, where one is certainly faster."""
    found: dict[str, float] = {}
    for device in sorted(devices):
        fast, slow = one.latency.get(device), other.latency.get(device)
        if fast and slow and _is_faster(fast, slow):
            assert fast.p50_ms
            assert slow.p50_ms
            found[device] = slow.p50_ms.value / max(fast.p50_ms.value, 1e-9)
    return found


def _is_faster(fast: Timing, slow: Timing) -> bool:
    """Whether no other load explains it: that can only have made the faster one slower."""
    if fast.p50_ms is None or slow.p50_ms is None:
        return False
    believed = fast.verdict in _BELIEVED and slow.verdict == "stable"
    return believed and fast.p50_ms.high < slow.p50_ms.low
