"""Select: the smallest, or fastest, variant that keeps to the budgets, and why no other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from components.artifacts.budgets import Budgets
from components.contract.types import (
    FromGraph,
    LiteModelOut,
    LiteModelsIn,
    MetricsOut,
    PageOut,
    ReportIn,
    ReportOut,
    ReportsIn,
    Task,
)
from components.statistics.resampling import Resampling

IMAGE = "light"
CACHED_BY_NAME = False  # decides on what this run made


def select(
    models: LiteModelsIn,
    evaluations: ReportsIn,
    benchmarks: ReportsIn,
    data: ReportIn | None,
    reference: ReportIn | None,
    search: ReportIn | None,
    decision: ReportOut,
    winner: LiteModelOut,
    winner_evaluation: ReportOut,
    page: PageOut,
    metrics: MetricsOut,
    *,
    names: Annotated[list[str], FromGraph()],
    devices: Annotated[list[str], FromGraph()],
    candidates: Annotated[list[str], FromGraph()],
    task: Annotated[Task, FromGraph()],
    controls: Annotated[Mapping[str, str] | None, FromGraph()] = None,
    budgets: Budgets,
    minimize: Annotated[Literal["size", "latency"], FromGraph()] = "size",
    resampling: Resampling = Resampling(resamples=2000),
) -> None:
    """Choose the best variant within the budgets, with a reason for every other.

    A budget is kept when the worse end of the interval keeps it: of the paired drop of the metric
    against the reference, resampled over identities or images, of the median latency, the load, the
    memory and the energy on every device, and of the metrics that floors are set for, in all and,
    where that is asked for, for each group of images. A variant whose benchmark was disturbed keeps
    a budget of time where the worse end of its interval does; where it does not, or latency is
    minimized, or energy is limited, it stays undecided, and so does one whose device slowed itself
    down or did not tell a number that is limited, whose process was ended from outside, or with a
    floor for a group that is too small to be measured; one that crashed or answers the same to
    everything fails. One that is not certainly better than the trivial answer wins only where no
    other keeps every budget. When none does, ``winner`` is an empty result and the nearest misses
    are listed; that is an answer and no error.

    Args:
        models: LiteModels of all variants, the reference first.
        evaluations: A report of evaluate for each.
        benchmarks: Reports of benchmark: the first model on every device, then the second.
        data: The report of ingest, which pages quote; nothing is decided by it.
        reference: A report of evaluate_answers: the first name is then a reference without a
            model, size and latency, and ``models`` begin with the second.
        search: The report of search, whose front pages show; nothing is decided by it.
        decision: ``decision.json``; ``report.json`` with what the report shows beside it; and
            ``firmware/``: the C files of a winner that a microcontroller runs.
        winner: The winning LiteModel, or ``none.json``.
        winner_evaluation: The winner's report of evaluate, or ``none.json``.
        page: The leaderboard with its pictures, one file that needs nothing else. Whether the
            winner qualifies is not known on it: ``publish`` makes the report that says so.
        metrics: What the winner reaches, as numbers.
        names: Of the variants, in the order of ``models``; the first is the reference.
        devices: Names, in the order of ``benchmarks``.
        candidates: Names that may win.
        task: What the models are for.
        controls: By the name of a variant that of its control, the same network trained on labels
            alone; what the teacher is worth is the difference of the two, paired.
        budgets: What has to be kept.
        minimize: What is best among those that keep every budget.
        resampling: How intervals are made.

    Raises:
        UserError: Models, reports and names do not fit each other, a candidate is no variant, the
            task has no such metric, floors for groups that the data does not tell of, or nothing
            was measured on a device that has a budget.

    References:
        Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 8.
    """
    import shutil
    from dataclasses import replace

    from components.artifacts.data_use import DataUse
    from components.artifacts.empty import write_empty
    from components.artifacts.firmware import keep_firmware
    from components.artifacts.search_front import SearchFront
    from components.contract.digests import canonical_json
    from components.contract.errors import UserError
    from components.pages.leaderboard import leaderboard_page, material_of
    from components.selection import deciding
    from components.selection.candidates import read_reports

    deciding.check_devices(budgets, devices, minimize)
    reports = read_reports(
        models, evaluations, benchmarks, names=names, devices=devices, reference=reference
    )
    deciding.check_candidates(candidates, names)
    deciding.check_candidates([*(controls or {}), *(controls or {}).values()], names)
    other = next((one for one in reports if one.evaluation.task != task), None)
    if other:
        what = f"{other.name} is for {other.evaluation.task}, not for {task}"
        raise UserError(what, f"task: {task}")
    made = deciding.decide(
        reports,
        budgets,
        candidates=candidates,
        minimize=minimize,
        resampling=resampling,
        controls=controls or {},
    )
    made = replace(made, images=DataUse.read(data) if data else None)
    if made.winner is None:
        write_empty(winner, made.reason)
        write_empty(winner_evaluation, made.reason)
    else:
        place = names.index(made.winner) - (reference is not None)
        shutil.copytree(models[place], winner, dirs_exist_ok=True)
        shutil.copytree(evaluations[place], winner_evaluation, dirs_exist_ok=True)
    made.write(decision)
    if made.winner is not None:
        place = names.index(made.winner) - (reference is not None)
        measured = benchmarks[place * len(devices) :][: len(devices)]
        for device, report in zip(devices, measured, strict=True):
            keep_firmware(report, decision, device)
    metrics.write_bytes(canonical_json(made.scalars()))
    makings = {one.name: one.making for one in reports if one.making}
    front = SearchFront.read(search) if search else None
    material = material_of(made, makings, *deciding.answers_to_show(reports, made), search=front)
    material.write(decision)
    page.write_text(leaderboard_page(made, material))
