"""Publish: the winner as a release that an app can be built on, with what it is worth."""

from __future__ import annotations

from typing import Annotated

from components.artifacts.about import About
from components.artifacts.budgets import DropBudget
from components.artifacts.framing import Framing
from components.contract.types import FromGraph, LiteModelIn, PageOut, ReleaseOut, ReportIn
from components.statistics.resampling import Resampling

IMAGE = "light"
CACHED_BY_NAME = False  # the release is of this run


def publish(
    winner: LiteModelIn,
    decision: ReportIn,
    sealed: ReportIn,
    sealed_teacher: ReportIn,
    release: ReleaseOut,
    page: PageOut,
    report: PageOut,
    *,
    name: Annotated[str, FromGraph()],
    budget: DropBudget,
    framing: Framing = Framing(),
    resampling: Resampling = Resampling(resamples=2000),
    about: About = About(),
) -> None:
    """Write the release: the file, how to feed it, what it is for and how good it is.

    The drop is measured once more, paired, on the sealed split, which nothing that led to the
    choice has looked at. A release whose drop there may leave the budget, that may fall below a
    floor of the decision, or that the trivial answer may equal, is written all the same and marked
    as not qualified, with the reasons. An empty result is passed on.

    Args:
        winner: The winning LiteModel.
        decision: How it won.
        sealed: Report of evaluate on the winner and the sealed split.
        sealed_teacher: The same of the reference.
        release: ``model.tflite``, ``manifest.json``, ``card.md`` and ``card.html``; or
            ``none.json``.
        page: The card as one file that needs nothing else.
        report: The leaderboard of the decision with its pictures, and at its top what the sealed
            images say of the winner: one file that needs nothing else.
        name: Of the release.
        budget: What the drop on the sealed split must keep to.
        framing: How an app brings images to the size of the model, as ingest did.
        resampling: How its interval is made.
        about: Who answers for the release and what it is for, which the card then says.

    Raises:
        UserError: An input is not what it should be, or the task has no such metric.

    References:
        arXiv:1810.03993 (model cards).
    """
    from components.artifacts.decision import Decision
    from components.release import writing

    made = Decision.read(decision)
    if made.winner is None:
        writing.write_empty(made, decision, release, page, report)
        return
    writing.write(
        writing.Parts(winner, decision, sealed, sealed_teacher),
        made,
        release,
        page,
        report,
        name=name,
        budget=budget,
        framing=framing,
        resampling=resampling,
        about=about,
    )
