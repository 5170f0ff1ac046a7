"""The rules: when which variant is worth its time, with the reason that stands beside it.

Each rule looks at what is known and returns the variant, or None where it does not apply. Their
order is the order in which time is spent: a variant that does not fit any more is left out.
Figures are those of docs/techniques.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil

from pipelines.config.suggest.plan import (
    FILLED,
    FINE_EPOCHS,
    Plan,
    SuggestedStep,
    SuggestedVariant,
)
from pipelines.config.suggest.students import SMALL_SIDE, network_bytes

TIGHT_DROP = 0.01
"""Up to so small a drop the error of 8 bits decides, and training through it may be worth it."""
_REMOVED_MOST = 0.9
_FLOAT16_BYTES = 2


Rule = Callable[[Plan], SuggestedVariant | None]

_INT8 = SuggestedStep("quantize", {"scheme": "int8", "input_type": "uint8"}, "int8")


def student_int8(plan: Plan) -> SuggestedVariant:
    """Begin with integers alone, whatever the situation."""
    size, taken = plan.situation.size_bytes, plan.students[0].int8_bytes
    fills = size is not None and taken >= size / 2
    reason = (
        f"A student {'that fills the size budget' if fills else f'of at most {taken:,} bytes'}, in "
        "integers alone: a quarter of the float file, the fastest on most CPUs, and hardly less "
        "exact."
    )
    if size is not None and taken > size:
        reason = (
            f"The smallest student that the rules know, of at most {taken:,} bytes in integers "
            "alone: it may be over the size budget. Fewer pixels (resolution) make it smaller."
        )
    return SuggestedVariant("student-int8", (plan.distilled(), _INT8), reason)


def teacher_int8(plan: Plan) -> SuggestedVariant | None:
    """Quantize the teacher itself, where that file is not known to be too large."""
    situation = plan.situation
    if situation.teacher == "answers" or (situation.network and _too_large(plan, 0.0)):
        return None
    reason = "The teacher as it is, in 8 bits: it takes seconds and loses least."
    return SuggestedVariant("teacher-int8", (_INT8,), reason)


def linear_int8(plan: Plan) -> SuggestedVariant | None:
    """Fit one matrix where images are small: on aligned ones it may be all that is needed."""
    if plan.situation.side > SMALL_SIDE:
        return None
    fitted = {"backbone": "linear", "mean": 128.0, "scale": 128.0}
    reason = (
        "One matrix, fitted in seconds. On aligned images it can equal a large network, as on the "
        "AT&T faces (docs/results.md)."
    )
    path = (SuggestedStep("train", fitted, "linear"), _INT8)
    return SuggestedVariant("linear-int8", path, reason)


def student_dynamic(plan: Plan) -> SuggestedVariant:
    """Try weights of 8 bits with activations in float: seconds more."""
    reason = (
        "The same student with 8-bit weights alone: nothing to calibrate, sometimes smaller still. "
        "It falls into several parts on XNNPACK and can be slower than float; seconds tell."
    )
    step = SuggestedStep("quantize", {"scheme": "dynamic"}, "dynamic")
    return SuggestedVariant("student-dynamic", (plan.distilled(), step), reason)


def small_int8(plan: Plan) -> SuggestedVariant | None:
    """Try a third of the bytes, since the smallest within the budgets wins."""
    if plan.students[1] == plan.students[0]:
        return None
    reason = "A third of the bytes: the smallest file that keeps every budget wins."
    return SuggestedVariant("small-int8", (plan.distilled(1), _INT8), reason)


def student_mixed(plan: Plan) -> SuggestedVariant | None:
    """Leave the worst layers in float where the drop is tight."""
    if plan.situation.drop > TIGHT_DROP:
        return None
    given = {
        "scheme": "int8",
        "float_layers": "auto",
        "max_drop": max(0.002, plan.situation.drop / 2),
    }
    reason = (
        "The drop budget is tight: as many layers stay in float as validation asks for, the worst "
        "first; a tenth of a second for each layer tells which."
    )
    step = SuggestedStep("quantize", given, "mixed")
    return SuggestedVariant("student-mixed", (plan.distilled(), step), reason)


def student_aware(plan: Plan) -> SuggestedVariant | None:
    """Train through the rounding where the drop is tight."""
    if plan.situation.drop > TIGHT_DROP:
        return None
    given = {"input_type": "uint8", "epochs": FINE_EPOCHS}
    reason = (
        "The drop budget is tight: the student is trained while it computes as its int8 file will, "
        "so that what 8 bits cost can be won back."
    )
    step = SuggestedStep("quantize_aware", given, "aware")
    return SuggestedVariant("student-aware", (plan.distilled(), step), reason)


def student_w4a8(plan: Plan) -> SuggestedVariant | None:
    """Store weights in 4 bits, where they run fast or time does not count."""
    dense = plan.students[0].backbone == "mobilenet_v2"
    if plan.situation.latency_bound and not dense:
        return None
    speed = (
        "1x1 convolutions are dense layers here, which XNNPACK runs as fast as int8"
        if dense
        else "its 3x3 convolutions run two to four times slower than int8, and no budget minds"
    )
    given = {"scheme": "w4a8", "input_type": "uint8"}
    reason = f"Weights of 4 bits, about half the file: {speed}."
    step = SuggestedStep("quantize", given, "w4a8")
    return SuggestedVariant("student-w4a8", (plan.distilled(), step), reason)


def teacher_channels(plan: Plan) -> SuggestedVariant | None:
    """Cut channels out of the teacher itself, where few enough have to go."""
    situation = plan.situation
    if not situation.trainable_teacher or _too_large(plan, _REMOVED_MOST):
        return None
    if situation.network and situation.network.backbone == "linear":
        return None
    given = {
        "method": "channels",
        "target": "bytes",
        "remove": _removed(plan),
        "epochs": FINE_EPOCHS,
    }
    reason = (
        "The teacher's own network with its least useful channels cut out, fine-tuned to answer as "
        "before: the file itself shrinks and nothing new has to be learned."
    )
    step = SuggestedStep("prune", given, "channels")
    return SuggestedVariant("teacher-channels-int8", (step, _INT8), reason)


def student_float(plan: Plan) -> SuggestedVariant:
    """Show what quantization costs, and what the teacher is worth."""
    reason = (
        "The student in float, which shows what quantization costs; beside it a control, the same "
        "network trained on labels alone, which shows what the teacher is worth."
    )
    return SuggestedVariant("student-float", (plan.distilled(control=True),), reason)


def student_float16(plan: Plan) -> SuggestedVariant | None:
    """Halve the float file where even that fits: it loses nothing."""
    size, student = plan.situation.size_bytes, plan.students[0]
    if plan.situation.drop > TIGHT_DROP or (size and _FLOAT16_BYTES * student.int8_bytes > size):
        return None
    reason = "Weights of 16 bits lose nothing that can be measured"
    reason += ", and even they fit the budget." if size else ": what 8 bits cost shows beside them."
    step = SuggestedStep("quantize", {"scheme": "float16"}, "float16")
    return SuggestedVariant("student-float16", (plan.distilled(), step), reason)


def grid_int8(plan: Plan) -> SuggestedVariant | None:
    """Leave 15 levels a channel where the download counts."""
    if not plan.situation.download:
        return None
    given = {"method": "grid", "bits": 4}
    reason = (
        "The download counts: 15 levels a channel in an int8 file that runs as fast as any; "
        "compressed it takes about half."
    )
    step = SuggestedStep("cluster", given, "grid")
    return SuggestedVariant("grid-int8", (plan.distilled(), step, _INT8), reason)


def pruned_int8(plan: Plan) -> SuggestedVariant | None:
    """Set half of the weights to 0 where the download counts."""
    if not plan.situation.download:
        return None
    given = {"sparsity": 0.5, "epochs": FINE_EPOCHS}
    reason = (
        "The download counts: half of the weights are 0. The file keeps its length, compressed it "
        "takes about a quarter less."
    )
    step = SuggestedStep("prune", given, "half")
    return SuggestedVariant("pruned-int8", (plan.distilled(), step, _INT8), reason)


def pruned_clustered_int8(plan: Plan) -> SuggestedVariant | None:
    """Do both where the download counts."""
    if not plan.situation.download:
        return None
    pruned = SuggestedStep("prune", {"sparsity": 0.5, "epochs": FINE_EPOCHS}, "half")
    clustered = SuggestedStep("cluster", {"clusters": 16, "per": "channel"}, "sixteen")
    reason = (
        "The download counts: half of the weights are 0 and the others have 16 values a channel; "
        "about half of the int8 file compressed."
    )
    path = (plan.distilled(), pruned, clustered, _INT8)
    return SuggestedVariant("pruned-clustered-int8", path, reason)


def slim_int8(plan: Plan) -> SuggestedVariant | None:
    """Cut channels out of the student: a size between it and the small one."""
    if plan.students[0].backbone != "conv" or plan.students[1] == plan.students[0]:
        return None
    given = {"method": "channels", "target": "bytes", "remove": 0.4, "epochs": FINE_EPOCHS}
    reason = "The student with channels cut out: a size between it and the small one."
    step = SuggestedStep("prune", given, "slimmer")
    return SuggestedVariant("slim-int8", (plan.distilled(), step, _INT8), reason)


def tiny_int8(plan: Plan) -> SuggestedVariant | None:
    """Try a ninth of the bytes."""
    if plan.students[2] == plan.students[1]:
        return None
    reason = "A ninth of the bytes: how far down it goes."
    return SuggestedVariant("tiny-int8", (plan.distilled(2), _INT8), reason)


RULES: Sequence[Rule] = (
    student_int8,
    teacher_int8,
    linear_int8,
    student_dynamic,
    grid_int8,
    small_int8,
    student_mixed,
    student_aware,
    student_w4a8,
    student_float16,
    pruned_int8,
    teacher_channels,
    student_float,
    tiny_int8,
    slim_int8,
    pruned_clustered_int8,
)
"""In the order in which time is spent."""


def _too_large(plan: Plan, removed: float) -> bool:
    """Whether the teacher, less a share of it, is known to be over the size budget in 8 bits."""
    situation = plan.situation
    taken = network_bytes(situation, situation.network) if situation.network else None
    size = situation.size_bytes
    return bool(taken and size and taken * (1 - removed) > FILLED * size)


def _removed(plan: Plan) -> float:
    """Return the share of the teacher that has to go, in steps of 0.05; half where nobody knows."""
    situation = plan.situation
    taken = network_bytes(situation, situation.network) if situation.network else None
    if not taken or not situation.size_bytes:
        return 0.5
    needed = 1 - FILLED * situation.size_bytes / taken
    return round(min(_REMOVED_MOST, max(0.3, ceil(needed / 0.05) * 0.05)), 2)
