"""The model card: what a release is for, how good it is, what it cannot do and how to feed it.

Where nothing keeps every budget, the page of an empty release stands in its place.

References:
    arXiv:1810.03993 (Mitchell et al., Model cards for model reporting): the sections.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.artifacts.decision import Decision
from components.measure.paired import Answers
from components.pages.blocks import CardSection, Code, Facts, Listing, Paragraph, Table
from components.pages.charts.gallery import answer_pictures
from components.pages.example import example
from components.pages.figures import listed_pairs, title_of, trials_and_gaps
from components.pages.groups import group_table
from components.pages.method import method
from components.pages.templates import render
from components.pages.words import (
    budgets_in_words,
    ends_ms,
    percent,
    sentence,
    splits_in_words,
    steps_in_words,
)
from components.selection.device_budgets import asked_of
from components.selection.sealed import SealedResult
from components.statistics.bootstrap import Interval
from components.statistics.metrics import METRICS
from components.statistics.quantities import (
    decimal,
    ratio,
    short_bytes,
    short_time,
    whole_bytes,
    with_interval,
)

_USES = {
    "verification": "Deciding whether two images show the same identity, by their embeddings",
    "classification": "Telling which of the classes below an image shows",
}
_REVIEW = "Decisions about people that nobody reviews and nobody can appeal against."
_NOT_FOR = {
    "verification": (
        "Finding one identity among many: every comparison is another chance of a false accept.",
        "Proving that a living person is in front of the camera: a picture of a picture passes.",
        _REVIEW,
    ),
    "classification": (
        "Images of anything else: one of the classes is answered all the same.",
        _REVIEW,
    ),
}
_ETHICS = (
    "Where the images show people, their consent, the law of the place and the cost of a false "
    "accept and of a false reject are questions that no number in this card answers. Errors are "
    "not spread evenly over people; measure them on the groups that the app will meet."
)
_LINEAGE = (
    "Digests of what this release was made from, as far as its last step knows them; the record "
    "of the run leads from them back to every source file."
)


_NAMED_MOST = 5  # groups in a sentence


def lead_of(manifest: Mapping[str, Any]) -> str:
    """Return the card's first sentence: whether the release qualifies, and why."""
    state = "Qualified" if manifest["qualified"] else "Not qualified"
    return f"{state}: {'; '.join(manifest['reasons'])}."


def card_sections(
    manifest: Mapping[str, Any], decision: Decision, sealed: SealedResult
) -> list[CardSection]:
    """Return the card.

    Args:
        manifest: Content of ``manifest.json``.
        decision: How the model won.
        sealed: How it did on the sealed split.
    """
    return [
        CardSection("Model details", (_details(manifest),)),
        CardSection("Intended use", _uses(manifest, sealed)),
        CardSection("How to feed it", _feeding(manifest)),
        CardSection("Factors", _factors(sealed)),
        CardSection("Metrics", _metrics(manifest, decision)),
        CardSection("Evaluation data", _evaluation_data(decision, sealed)),
        CardSection("Training data", _training_data(manifest, decision)),
        CardSection("Quantitative analyses", _analyses(decision, sealed)),
        CardSection("Ethical considerations", (Paragraph(_ETHICS),)),
        CardSection(
            "Caveats and recommendations", (Listing(_caveats(manifest, decision, sealed)),)
        ),
        CardSection("Lineage", (Paragraph(_LINEAGE), Facts(_lineage(manifest), exact=True))),
    ]


def card_page(
    manifest: Mapping[str, Any],
    decision: Decision,
    sections: Sequence[CardSection],
    reference: Answers | None,
    winner: Answers | None,
    *,
    heading: str,
) -> str:
    """Return the card as one HTML page with its pictures.

    Args:
        manifest: Content of ``manifest.json``.
        decision: How the model won.
        sections: What ``card_sections`` gave.
        reference: What the reference answered on the sealed split; None after a crash.
        winner: The same of the winner.
        heading: The largest line: what is released.
    """
    assert decision.winner
    qualified = manifest["qualified"]
    return render(
        "card.html",
        title=f"{heading} - model card",
        tone="winner" if qualified else "failed",
        eyebrow=f"Model card · {'qualified' if qualified else 'not qualified'}",
        heading=heading,
        lead=lead_of(manifest),
        drawings=answer_pictures(
            decision, reference, (decision.winner, winner) if winner else None
        ),
        sections=sections,
    )


def empty_page(decision: Decision) -> str:
    """Return the page of a release that is empty because nothing keeps every budget.

    Args:
        decision: Why nobody won.
    """
    return render(
        "card.html",
        title="Nothing to release - slimline",
        tone="undecided",
        eyebrow="Nothing to release",
        heading="Nothing keeps every budget",
        lead=f"{decision.reason[:1].upper()}{decision.reason[1:]}.",
        drawings=[],
        sections=_empty_sections(decision),
    )


def _empty_sections(decision: Decision) -> list[CardSection]:
    """Return what was asked for, what came nearest, and what can be done about it."""
    asked = f"Asked for: {budgets_in_words(decision.budgets)}. No file is released."
    misses = tuple(f"{miss.name}: {miss.reason}" for miss in decision.near_misses)
    nearest = Listing(misses) if misses else Paragraph("No candidate could be measured at all.")
    advice = tuple(sentence(step) for step in decision.next_steps)
    loosen = (
        "Loosen the budget that the nearest miss names, or add variants that give up less: a "
        "longer distillation, a wider student, a milder pruning."
    )
    return [
        CardSection("Budgets", (Paragraph(asked),)),
        CardSection("Nearest misses, nearest first", (nearest,)),
        CardSection("What to try next", (Listing(advice) if advice else Paragraph(loosen),)),
        CardSection("What was measured, and how", (Facts(tuple(method(decision))),)),
    ]


def _details(manifest: Mapping[str, Any]) -> Facts:
    size, gzip = whole_bytes(manifest["size_bytes"]), whole_bytes(manifest["gzip_bytes"])
    return Facts(
        (
            ("Release", str(manifest["name"])),
            ("Variant", str(manifest["variant"])),
            ("Task", str(manifest["task"])),
            ("Made by", steps_in_words(manifest["steps"])),
            ("Parameters", f"{manifest['parameters']:,}"),
            ("File", f"{manifest['file']}, {size} ({gzip} after gzip)"),
            ("Format", "LiteRT (TensorFlow Lite) flatbuffer"),
            ("Measured with", ", ".join(manifest["runtime"]) or "nothing"),
            *_said(manifest, owner="Owner", contact="Contact", licence="Licence"),
        )
    )


def _said(manifest: Mapping[str, Any], **titles: str) -> tuple[tuple[str, str], ...]:
    """Return rows for what the configuration says about the release, where it says it."""
    about = manifest.get("about", {})
    return tuple((title, about[key]) for key, title in titles.items() if key in about)


def _uses(
    manifest: Mapping[str, Any], sealed: SealedResult
) -> tuple[Facts | Paragraph | Listing, ...]:
    task, about = manifest["task"], sealed.reference.description
    like = f"{_USES[task]}, in images like those it was measured on: {about}. Not for:"
    own = _said(manifest, purpose="Purpose", out_of_scope="Out of scope")
    return *((Facts(own),) if own else ()), Paragraph(like), Listing(_NOT_FOR[task])


def _feeding(manifest: Mapping[str, Any]) -> tuple[Facts, Code]:
    given, answer = manifest["input"], manifest["output"]
    rows = [
        ("Input", f"{_shape(given)} {given['dtype']}, {given['layout']}; {given['channels']}"),
        ("Pixels", given["pixels"]),
        ("What to feed", given["formula"]),
        ("Output", f"{_shape(answer)} {answer['dtype']}: {answer['meaning']}"),
        ("How to read it", f"{answer['formula']} {answer.get('read', '')}".strip()),
    ]
    if compare := answer.get("compare"):
        rows.append(("How to compare two", compare["rule"]))
    if labels := answer.get("labels"):
        rows.append(("Labels", ", ".join(labels)))
    return Facts(tuple(rows)), Code("python", example(manifest))


def _shape(tensor: Mapping[str, Any]) -> str:
    return " x ".join(str(side) for side in tensor["shape"])


def _factors(sealed: SealedResult) -> tuple[Paragraph, ...]:
    kind = "identities" if sealed.reference.task == "verification" else "classes"
    return (
        Paragraph(
            f"All results are over the whole of {sealed.reference.n_images:,} images of "
            f"{sealed.reference.n_identities:,} {kind}. {_grouped(sealed)}"
        ),
    )


def _grouped(sealed: SealedResult) -> str:
    groups = sealed.winner.groups
    if not groups:
        return (
            "The data says nothing of light, camera, age or other groups, so nothing is broken "
            "down by them."
        )
    small = [
        f"{name} ({next(iter(group.unmeasured.values()))})"
        for name, group in groups.items()
        if not group.metrics
    ]
    text = f"Below, they are broken down by the {len(groups):,} groups that the data tells of."
    if small:
        text += f" Of these {len(small):,} could not be measured: {', '.join(small[:_NAMED_MOST])}"
        text += f" and {len(small) - _NAMED_MOST} more." if len(small) > _NAMED_MOST else "."
    if sealed.winner.ungrouped:
        text += f" {sealed.winner.ungrouped:,} images belong to no group."
    return text


def _metrics(manifest: Mapping[str, Any], decision: Decision) -> tuple[Paragraph, ...]:
    title = METRICS[decision.metric].title
    text = (
        f"{title} decides. Its drop against {decision.reference} is paired: both are measured on "
        f"the same resamples. Asked for: {budgets_in_words(decision.budgets)}."
    )
    if manifest["output"]["meaning"] == "embedding":
        text += (
            " The threshold was chosen on validation images, where as many genuine pairs are "
            "refused as impostors accepted; accuracy is the mean of genuine pairs accepted and "
            "impostor pairs rejected there."
        )
    return (Paragraph(text),)


def _evaluation_data(decision: Decision, sealed: SealedResult) -> tuple[Facts, ...]:
    opened = (
        f"{sealed.reference.description}; {sealed.reference.n_images:,} images that nothing which "
        "led to the choice has looked at."
    )
    compared = (
        f"{decision.split.description}; {decision.split.n_images:,} images, on which the variants "
        "were compared."
    )
    return (Facts((("Sealed", opened), ("Selection", compared))),)


def _training_data(
    manifest: Mapping[str, Any], decision: Decision
) -> tuple[Paragraph | Facts, ...]:
    sizes = splits_in_words(decision.split.splits)
    used = f" {decision.images.summary}." if decision.images else ""
    own = _said(
        manifest,
        data_origin="Origin of the images",
        data_licence="Licence of the images",
        legal_basis="Legal basis",
    )
    return (
        Paragraph(
            f"The train split of the same source; images by split: {sizes}. Identical images "
            f"were removed before the split.{used}"
        ),
        *((Facts(own),) if own else ()),
    )


def _analyses(decision: Decision, sealed: SealedResult) -> tuple[Table | Facts | Paragraph, ...]:
    assert decision.winner
    winner = decision.variant(decision.winner)
    names = [name for name in METRICS if name in sealed.reference.baseline.metrics]
    task = sealed.reference.one_shot
    rows = tuple(
        (
            title_of(name, task),
            _cell(sealed.winner.metrics.get(name)),
            _cell(sealed.reference.metrics.get(name)),
            _cell(sealed.reference.baseline.metrics.get(name)),
        )
        for name in names
    )
    head = (
        f"Sealed split, {percent(decision.confidence)} intervals",
        winner.name,
        decision.reference,
        sealed.reference.baseline.name,
    )
    size = decision.variant(decision.reference).size_bytes
    own = winner.file_bytes
    whole = "no file" if size is None else f"{whole_bytes(size)}, {ratio(size / own)}"
    facts = [
        (f"Drop of {METRICS[decision.metric].title}, sealed", _cell(sealed.drop)),
        (f"Drop of {METRICS[decision.metric].title}, selection", _cell(winner.drop)),
        *trials_and_gaps(task, sealed.reference.unmeasured, "sealed"),
        *listed_pairs(
            {
                winner.name: sealed.winner.pairs,
                decision.reference: sealed.reference.pairs,
                sealed.reference.baseline.name: sealed.reference.baseline.pairs,
            }
        ),
        ("Size", f"{whole_bytes(own)}; {decision.reference}: {whole}"),
    ]
    for device, timing in winner.latency.items():
        if timing.p50_ms:
            facts.append(
                (
                    f"Median latency on {device}",
                    f"{short_time(timing.p50_ms.value)} ({ends_ms(timing.p50_ms)})",
                )
            )
    facts += [
        (f"{asked.noun} on {asked.device}", asked.in_words)
        for asked in asked_of(winner, decision.budgets)
        if asked.key != "latency_ms" and asked.value is not None
    ]
    if winner.peak_memory_bytes is not None:
        facts.append(("Peak memory above the runtime's own", short_bytes(winner.peak_memory_bytes)))
    groups = group_table(sealed.winner.groups, winner.name, decision.metric)
    by_group = (Paragraph(groups.note), Table(groups.head, groups.rows)) if groups else ()
    return Table(head, rows), *by_group, Facts(tuple(facts)), Facts(tuple(method(decision)))


def _cell(interval: Interval | None) -> str:
    return with_interval(interval) if interval else "unknown"


def _caveats(
    manifest: Mapping[str, Any], decision: Decision, sealed: SealedResult
) -> tuple[str, ...]:
    found: list[str] = []
    if not manifest["qualified"]:
        found += [f"Not qualified: {reason}." for reason in manifest["reasons"]]
    if decision.images:
        found += [f"{warning}." for warning in decision.images.warnings]
    found += [f"{note}." for note in decision.notes]
    if decision.baseline and not decision.baseline.reference_above:
        found.append(f"{decision.baseline.note}.")
    threshold = manifest["output"].get("compare", {}).get("threshold")
    if threshold is not None:
        found.append(
            f"The threshold {decimal(threshold)} suits these images. Another camera or another "
            "crop shifts the scores: measure again before relying on it."
        )
    found.append(
        f"{sealed.reference.n_images:,} sealed images: the intervals say how much that leaves "
        "open, and nothing here holds for images of another kind."
    )
    found.append(
        f"Latency was measured on {', '.join(decision.devices) or 'no device'}; measure on the "
        "devices that the app is for."
    )
    found.append("The sealed split is worth less each time it is opened; the runs' records count.")
    return tuple(found)


def _lineage(manifest: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    file = ((manifest["file"], f"sha256 {manifest['sha256']}"),)
    return file + tuple((role, str(value)) for role, value in manifest["lineage"].items())
