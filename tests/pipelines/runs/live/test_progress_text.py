"""How far a step is, in words."""

import pytest

from components.contract.progress import Progress
from pipelines.runs.live.progress_text import progress_text


@pytest.mark.parametrize(
    ("done", "total", "said"),
    [(0, 4, "networks 1 of 4"), (3, 4, "networks 4 of 4"), (4, 4, "networks 4 of 4"),
     (2, None, "networks 3")],
)  # fmt: skip
def test_the_part_that_has_begun_is_told_and_never_more_than_there_are(done, total, said):
    progress = Progress(1.0, phase="networks", part=done, total=total)
    assert progress_text(progress, None, None) == said


def test_what_is_known_is_said_and_nothing_else():
    progress = Progress(1.0, epoch=3, total=15, loss=0.51364, metric="accuracy", value=0.86832)
    expected = "epoch 3 of 15, loss 0.5136, validation accuracy 0.8683, about 4 min left"
    assert progress_text(progress, None, 240.0) == expected
    assert progress_text(Progress(1.0, images=2000, total=None), 1234.4, None) == (
        "2,000 images, 1,234 images/s"
    )
