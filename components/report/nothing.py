"""The page of an empty release: why there is none, and what would have to give."""

from __future__ import annotations

from components.decision import Decision
from components.report.blocks import Facts, Listing, Paragraph, Section
from components.report.method import method
from components.report.words import budgets_in_words


def nothing_sections(decision: Decision) -> list[Section]:
    """Return what there is to say when nobody won.

    Args:
        decision: Why nobody won.
    """
    asked = f"Asked for: {budgets_in_words(decision.budgets)}. No file is released."
    misses = tuple(f"{miss.name}: {miss.reason}" for miss in decision.near_misses)
    nearest = Listing(misses) if misses else Paragraph("No candidate could be measured at all.")
    loosen = (
        "Loosen the budget that the nearest miss names, or add variants that give up less: a "
        "longer distillation, a wider student, a milder pruning."
    )
    return [
        Section("Budgets", (Paragraph(asked),)),
        Section("Nearest misses, nearest first", (nearest,)),
        Section("What can be done", (Paragraph(loosen),)),
        Section("What was measured, and how", (Facts(tuple(method(decision))),)),
    ]
