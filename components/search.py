"""Search: which small architectures are worth training, within the budgets."""

from __future__ import annotations

from typing import Annotated

from components.contract.types import (
    DatasetIn,
    FromGraph,
    ModelIn,
    NonNegativeFloat,
    PositiveFloat,
    ReportOut,
    ReportsIn,
    Seed,
    Threads,
)
from components.ml.settings import Augmentation, LossSettings, TeacherViews
from components.ml.techniques.distillation_settings import DistillationSettings
from components.ml.techniques.search_settings import SearchPlan, SearchSpace, SearchTraining

IMAGE = "train"
MEMORY_GB = 6
TIME_LIMIT_S = 6 * 3600


def search(
    dataset: DatasetIn,
    teacher: ModelIn | None,
    costs: ReportsIn,
    front: ReportOut,
    *,
    plan: SearchPlan = SearchPlan(),
    space: SearchSpace = SearchSpace(),
    training: SearchTraining = SearchTraining(),
    distillation: DistillationSettings = DistillationSettings(),
    teacher_views: TeacherViews = TeacherViews(views=8),
    loss: LossSettings = LossSettings(),
    augmentation: Augmentation = Augmentation(),
    size_mb: Annotated[PositiveFloat | None, FromGraph()] = None,
    latency_ms: Annotated[PositiveFloat | None, FromGraph()] = None,
    drop: Annotated[NonNegativeFloat, FromGraph()] = 0.01,
    threads: Threads = 2,
    seed: Seed = 0,
) -> None:
    """Propose architectures, train the promising ones, and write the front of the best.

    Optuna proposes, from what came of the proposals before. Size and latency of an int8 file are
    predicted from cost models: nothing is measured here, and what is outside the budgets, with the
    error of the prediction, is never trained. All others are trained for the first number of steps,
    the best third again from the start for the next, and so on. On the front is what no other beats
    in metric, latency and size at once. The same inputs and seed give the same front.

    Args:
        dataset: Images and labels; the splits train and validation.
        teacher: What candidates learn from, as in ``distill``; without, from labels alone.
        costs: Reports of cost_model, one for each device.
        front: ``front.json``: every architecture that was trained, and which ``distill`` takes.
        plan: How long is searched.
        space: What architectures are made of.
        training: How they are trained.
        distillation: How much each kind of the teacher's answers weighs.
        teacher_views: What the teacher is asked about.
        loss: What is learned from the labels.
        augmentation: How images are changed.
        size_mb: Largest file in units of 1,000,000 bytes; None for no limit.
        latency_ms: Longest median inference on every device; None for no limit.
        drop: Largest loss on the validation split against the teacher.
        threads: Threads of TensorFlow, count.
        seed: Of everything random.

    Raises:
        UserError: Nothing that is proposed keeps the budgets, no training that comes to an end,
            hints or attention, cost models that do not fit each other, or a teacher of something
            else.

    References:
        arXiv:1907.10902 (Optuna), arXiv:1502.07943 (successive halving), arXiv:1812.00332 (costs
        of a device as an objective); those of ``distill``.
    """
    from components.ml.runtime import configure
    from components.ml.techniques import architecture_search
    from components.ml.techniques.search_training import CandidateTraining

    configure(threads, seed)
    found = architecture_search.search(
        CandidateTraining(
            dataset,
            teacher,
            settings=distillation,
            views=teacher_views,
            loss=loss,
            augmentation=augmentation,
            training=training,
            seed=seed,
        ),
        costs,
        space=space,
        plan=plan,
        limits=architecture_search.Limits(
            None if size_mb is None else round(size_mb * 1e6), latency_ms, drop
        ),
        seed=seed,
    )
    found.write(front)
