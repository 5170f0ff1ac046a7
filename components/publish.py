"""Publish: the winner as a release that an app can be built on, with what it is worth."""

from __future__ import annotations

from typing import Annotated

from components.artifacts.about import About
from components.artifacts.budgets import DropBudget
from components.artifacts.framing import Framing
from components.contract.types import (
    FromGraph,
    LiteModelsIn,
    PageOut,
    ReleaseOut,
    ReportIn,
    ReportsIn,
)
from components.statistics.resampling import Resampling

IMAGE = "light"
CACHED_BY_NAME = False  # the release is of this run


def publish(
    winners: LiteModelsIn,
    decisions: ReportsIn,
    sealed: ReportsIn,
    sealed_teacher: ReportIn,
    release: ReleaseOut,
    page: PageOut,
    report: PageOut,
    *,
    name: Annotated[str, FromGraph()],
    devices: Annotated[list[str] | None, FromGraph()] = None,
    budget: DropBudget,
    framing: Framing = Framing(),
    resampling: Resampling = Resampling(resamples=2000),
    about: About = About(),
) -> None:
    """Write the release: the files, how to feed them, what they are for and how good they are.

    The drop is measured once more, paired, on the sealed split, which nothing that led to the
    choice has looked at. A release whose drop there may leave the budget, that may fall below a
    floor of the decision, or that the trivial answer may equal, is written all the same and marked
    as not qualified, with the reasons. An empty result is passed on.

    Where each device has a choice of its own, the release holds the file of each, equal ones once,
    and qualifies where every file does. A device for which nothing won is named with the reason.

    Args:
        winners: The winning LiteModel, or one for each of ``devices``.
        decisions: How each won.
        sealed: Reports of evaluate on the winners and the sealed split.
        sealed_teacher: The same of the reference.
        release: ``model.tflite``, further files such as ``model-s21.tflite``, C files of a winner
            that a microcontroller runs, ``manifest.json``, ``card.md`` and ``card.html``; or
            ``none.json``.
        page: The card as one file that needs nothing else.
        report: The leaderboard of the decision with its pictures, and at its top what the sealed
            images say of the winner: one file that needs nothing else.
        name: Of the release.
        devices: Names, one a choice; none where there is one choice for every device.
        budget: What the drop on the sealed split must keep to.
        framing: How an app brings images to the size of the model, as ingest did.
        resampling: How its interval is made.
        about: Who answers for the release and what it is for, which the card then says.

    Raises:
        UserError: An input is not what it should be, lists do not fit each other, or the task has
            no such metric.

    References:
        arXiv:1810.03993 (model cards).
    """
    from components.artifacts.decision import Decision
    from components.contract.errors import UserError
    from components.release import writing
    from components.release.chosen import chosen_files
    from components.selection.joined_decision import joined

    count = 1 if devices is None else len(devices)
    if not count == len(winners) == len(decisions) == len(sealed):
        raise UserError(
            f"{len(winners)} winners, {len(decisions)} decisions and {len(sealed)} sealed reports "
            f"are given for {count} choices",
            "give one of each for every name under devices, or one of each without devices",
        )
    made = [Decision.read(folder) for folder in decisions]
    named = dict(zip(devices or ("",), made, strict=True))
    files = chosen_files(winners, decisions, made, sealed, devices or ())
    if not files:
        writing.write_empty(joined(named), decisions[0], release, page, report)
        return
    writing.write(
        files,
        {device: decision for device, decision in named.items() if decision.winner is None},
        sealed_teacher,
        release,
        page,
        report,
        name=name,
        budget=budget,
        framing=framing,
        resampling=resampling,
        about=about,
    )
