"""A cache on an empty store, on a disk and in a bucket."""

from tests.pipelines.releases.conftest import cache

__all__ = ["cache"]
