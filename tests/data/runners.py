"""What runs steps in tests without processes and images of its own."""

from __future__ import annotations

from pipelines.runs.graph import Graph, Step

ENVIRONMENT = "0" * 64


class InPlaceRunner:
    """The part of a ``Runner`` that has nothing to do where steps run in the test itself."""

    def prepare(self, graph: Graph) -> None:
        """See ``Runner``."""

    def environment(self, step: Step) -> str:
        """See ``Runner``."""
        return ENVIRONMENT

    def image_digest(self, step: Step) -> str | None:
        """See ``Runner``."""
        return None

    def cancel(self) -> None:
        """See ``Runner``."""

    def close(self) -> None:
        """See ``Runner``."""
