"""What took long to find out, kept as long as it is true; the longest unused goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar, cast

T = TypeVar("T")


class KeptAnswers:
    """Keeps answers by what was asked, for many threads.

    Args:
        most: So many at most.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._stamp: object = None
        self._kept: OrderedDict[Hashable, object] = OrderedDict()
        self._lock = threading.Lock()

    def recall(self, stamp: object, asked: Hashable, make: Callable[[], T]) -> T:
        """Return an answer, found out anew where it is not known.

        Args:
            stamp: What answers depend on; where it is another one than before, all are forgotten.
            asked: The question.
            make: Finds the answer.
        """
        with self._lock:
            if stamp != self._stamp:
                self._kept.clear()
                self._stamp = stamp
            if asked in self._kept:
                self._kept.move_to_end(asked)
                return cast("T", self._kept[asked])
        found = make()
        with self._lock:
            if stamp == self._stamp:
                self._kept[asked] = found
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
        return found
