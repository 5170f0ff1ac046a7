"""Which versions make the same of a pipeline."""

import pytest

from pipelines.engines.kubeflow.ir.servers import ServerVersion
from pipelines.engines.kubeflow.ir.sizes.back_end import back_end_of


@pytest.mark.parametrize(
    ("version", "since"),
    [
        ((2, 5), (2, 5)), ((2, 5, 3), (2, 5)), ((2, 14, 4), (2, 14)), ((2, 15), (2, 14)),
        ((2, 16, 1), (2, 16)), ((2, 17), (2, 17)), ((2, 18), (2, 17)), ((3, 1), (2, 17)),
    ],
)  # fmt: skip
def test_what_lies_between_is_like_the_older_one(version, since):
    assert back_end_of(ServerVersion(*version)).since == ServerVersion(*since)
