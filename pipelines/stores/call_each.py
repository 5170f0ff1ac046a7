"""One call for each item, many at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

Arguments = TypeVarTuple("Arguments")
Answer = TypeVar("Answer")


def call_each(
    function: Callable[[*Arguments], Answer],
    items: Iterable[tuple[*Arguments]],
    threads: int,
) -> tuple[Answer, ...]:
    """Call a function with the arguments of each item; return the answers in their order.

    Raises:
        Exception: What the first failing item raised; calls that had not begun are not made.
    """
    with ThreadPoolExecutor(threads) as pool:
        calls = [pool.submit(function, *item) for item in items]
        try:
            return tuple(call.result() for call in calls)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
