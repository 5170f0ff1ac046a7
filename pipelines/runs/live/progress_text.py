"""How far a step is, and how long something takes, in words."""

from __future__ import annotations

from collections.abc import Iterator

from components.contract.progress import Progress


def duration(seconds: float) -> str:
    """Return a time as people say it: ``40 s``, ``3 min``, ``1 h 20 min``."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def progress_text(
    progress: Progress, per_second: float | None = None, left_s: float | None = None
) -> str:
    """Return how far a step is, such as ``epoch 3 of 15, loss 0.1234, validation auc 0.9876``.

    Args:
        progress: What it told last.
        per_second: How many epochs, images or parts it does in a second.
        left_s: How long its rest takes.
    """
    return ", ".join(_parts(progress, per_second, left_s))


def _parts(told: Progress, per_second: float | None, left_s: float | None) -> Iterator[str]:
    of = "" if told.total is None else f" of {told.total:,}"
    if told.epoch is not None:
        yield f"epoch {told.epoch}{of}"
    elif told.images is not None:
        yield f"{told.images:,}{of} images"
        if per_second is not None:
            yield f"{per_second:,.0f} images/s"
    elif told.part is not None:  # the one that has begun; after the last, that one
        begun = told.part + 1 if told.total is None else min(told.part + 1, told.total)
        yield f"{told.phase or 'part'} {begun}{of}"
    elif told.phase:
        yield told.phase
    if told.loss is not None:
        yield f"loss {told.loss:.4g}"
    if told.metric and told.value is not None:
        yield f"validation {told.metric} {told.value:.4f}"
    if left_s is not None:
        yield f"about {duration(left_s)} left"
