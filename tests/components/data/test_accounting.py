"""What is said of the images that are used and of those that are not."""

from __future__ import annotations

from pathlib import Path

from components.artifacts.data_use import DataUse
from components.contract.source import Source, SourceFile
from components.data.accounting import data_use, left_out
from components.data.curation import curate
from components.data.images_found import SourceImage
from components.data.manifest import CuratedSource, with_rows
from components.data.placing import DEEPER
from components.data.settings import CurationPlan
from components.data.spelling import SameName

THINGS = CurationPlan(task="classification", split_by="image")


def _curated(counts: dict[str, int], plan: CurationPlan = THINGS, deep: int = 0) -> CuratedSource:
    images = [
        SourceImage(f"{label}/{number}.png", f"{label}/{number}.png", label, f"{label}-{number}")
        for label, count in counts.items()
        for number in range(count)
    ]
    images += [
        SourceImage(name, name, "a", "", f"layout: {DEEPER}")
        for number in range(deep)
        for name in [f"a/deep/{number}.png"]
    ]
    files = tuple(SourceFile(image.file, 1, "0" * 64) for image in images)
    return with_rows(Source(Path("x"), "folder", files), images, curate(images, plan))


def _use(curated: CuratedSource, *alike: SameName) -> DataUse:
    return data_use(curated, "classification", alike)


def test_all_used_is_said_in_one_sentence():
    use = _use(_curated({"a": 20, "b": 20}))
    assert use == DataUse(40, 40, (), ())
    assert use.summary == "40 of 40 images are used"


def test_much_that_is_not_used_is_warned_of_with_what_to_do():
    curated = _curated({"a": 18, "b": 18}, deep=324)
    use = _use(curated)
    assert use.summary == "36 of 360 images are used; left out: 324 layout"
    ((reason, text),) = use.examples
    assert reason == "layout"
    assert text.startswith(f"324, such as a/deep/0.png (layout: {DEEPER}); a/deep/1.png")
    assert len(list(left_out(curated))) == 324
    (warning,) = use.warnings
    assert "324 of 360 images (90 %) are not used: 324 layout" in warning
    assert "split: {labels: path}" in warning


def test_what_is_beyond_the_limit_leads_to_the_key_of_it():
    def warned(most: int) -> tuple[str, ...]:
        plan = CurationPlan(task="verification", evaluation_images=most)
        curated = _curated(dict.fromkeys("abcdefghijkl", 5), plan)
        return data_use(curated, "verification", ()).warnings

    (warning,) = warned(4)
    assert warning.endswith(" limit. To use more of them, raise evaluation_images under split:")
    assert warned(40) == ()


def test_a_label_of_which_no_image_can_be_used_is_named():
    images = [
        SourceImage(f"{label}/{n}.png", f"{label}/{n}.png", label, f"{label}-{n}", fault)
        for label, fault in (("a", ""), ("b", ""), ("broken", "truncated: half a file"))
        for n in range(2 if fault else 40)
    ]
    files = tuple(SourceFile(image.file, 1, "0" * 64) for image in images)
    for task in ("classification", "verification"):
        plan = CurationPlan(task=task, split_by="image")
        curated = with_rows(Source(Path("x"), "folder", files), images, curate(images, plan))
        warned = data_use(curated, task, ()).warnings
        assert warned == ("1 label has no image that can be used: broken",)


def test_up_to_a_twentieth_and_what_was_asked_for_is_no_warning():
    assert _use(_curated({"a": 19, "b": 19}, deep=2)).warnings == ()
    assert len(_use(_curated({"a": 18, "b": 19}, deep=2)).warnings) == 1
    subset = CurationPlan(task="classification", split_by="image", subset=40)
    use = _use(_curated({"a": 50, "b": 50}, subset))
    assert use.warnings == ()
    assert use.left_out[0].reason == "subset"


def test_small_classes_and_names_in_two_spellings_are_warned_of():
    use = _use(_curated({"a": 40, "b": 40, "rare": 2}), SameName("Kim", ("kim",)))
    assert use.warnings[0] == "1 name is spelt in more than one way: 'Kim' and 'kim'"
    assert any(text.startswith("1 class has no image in the ") for text in use.warnings)
    assert use.warnings[-1] == "1 class has fewer than 10 images: rare"


def test_labels_that_join_others_are_warned_of():
    """As in lists of diseases: Cardiomegaly|Emphysema."""
    counts = {"ant": 40, "bee": 40, "ant|bee": 40, "black, white": 40, "ant; bee": 40}
    (warning,) = _use(_curated(counts)).warnings
    assert warning.startswith(
        "2 labels join others, and are classes by themselves: ant; bee, ant|bee."
    )
    assert "keep one label an image" in warning
    assert not _use(_curated(dict.fromkeys(("ant", "bee", "black, white"), 40))).warnings
