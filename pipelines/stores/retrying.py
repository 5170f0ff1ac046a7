"""How long a request to a service is tried, and when it is given up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from google.api_core.retry import Retry


@dataclass(frozen=True)
class RetryPolicy:
    """How long a request is tried.

    Attributes:
        deadline_s: A request that keeps failing for a reason that may pass is given up after this.
        connect_s: Longest wait for a connection.
        read_s: Longest silence on a connection.
        wait_s: Longest wait before the second try; it doubles with each try, up to 8 s.
    """

    deadline_s: float = 120.0
    connect_s: float = 10.0
    read_s: float = 60.0
    wait_s: float = 0.2

    @property
    def timeout(self) -> tuple[float, float]:
        """The time limits as the client library of Google Cloud Storage takes them."""
        return self.connect_s, self.read_s

    @property
    def opening(self) -> RetryPolicy:
        """The policy for the first request: a bucket that is not to be reached is said sooner."""
        return RetryPolicy(deadline_s=_OPENING_S) if self.deadline_s > _OPENING_S else self

    def retry(
        self,
        may_pass: Callable[[BaseException], bool],
        tried_again: Callable[[BaseException], None] | None = None,
    ) -> Retry:
        """Return a policy of growing random waits.

        Args:
            may_pass: Whether the same request may succeed when it is sent again.
            tried_again: Told of each failure that is followed by another try.
        """
        return Retry(
            predicate=may_pass,
            initial=self.wait_s,
            maximum=8.0,
            multiplier=2.0,
            timeout=self.deadline_s,
            on_error=tried_again,
        )


_OPENING_S = 20.0
