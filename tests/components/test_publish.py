"""A published model is fed from its manifest alone, as an app developer would do it."""

import html
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from components.artifacts.dataset import write_dataset
from components.artifacts.empty import write_empty
from components.artifacts.evaluation import Evaluation
from components.artifacts.lite_model import LiteModelInfo
from components.artifacts.pair_list import PairListResult
from components.contract.digests import canonical_json, file_sha256
from components.contract.tree import tree_of
from components.convert import convert
from tests.components.flat import evaluate, publish, quantize, select
from tests.data import patterns
from tests.data.variants import Variant, write_benchmark, write_variants

SCHEMES = {
    "float32": None,
    "int8-uint8": {"scheme": "int8", "input_type": "uint8", "output_type": "float32"},
    "int8-int8": {"scheme": "int8", "input_type": "int8", "output_type": "int8"},
}


ABOUT = {
    "owner": "Ann <b>Example</b>", "contact": "ann@example.org", "purpose": "sorting patterns",
    "legal_basis": "consent", "data_licence": "CC0-1.0",
}  # fmt: skip


@dataclass(frozen=True)
class Published:
    """A release with the sealed images, and what evaluate got out of the same file."""

    release: Path
    page: Path
    images: np.ndarray
    outputs: np.ndarray

    @property
    def manifest(self):
        return json.loads((self.release / "manifest.json").read_bytes())


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory, pattern_verifier, pattern_pairs, pattern_classifier, pattern_data):
    """Make lite, evaluation and host of a task in a scheme, once."""
    root = tmp_path_factory.mktemp("lites")
    sources = {
        "verification": (pattern_verifier, pattern_pairs),
        "classification": (pattern_classifier, pattern_data),
    }

    @cache
    def make(task, scheme):
        folder, (model, data) = root / f"{task}-{scheme}", sources[task]
        if plan := SCHEMES[scheme]:
            quantize(model, data, folder / "model", folder / "plan", **plan)
            model = folder / "model"
        convert(model, folder / "lite", folder / "convert")
        evaluate(
            folder / "lite", data, None, folder / "evaluation", folder / "m", folder / "c",
            resamples=20,
        )  # fmt: skip
        write_benchmark(folder / "host", Variant(scheme), LiteModelInfo.read(folder / "lite"))
        return folder

    return make


def released(root, task, scheme, folder_of):
    """Let one file win against the float file and publish it."""
    images, labels = patterns.images_of(40, seed=9)
    write_dataset(
        root / "sealed",
        {"sealed": (images, labels)},
        task=task,
        classes=patterns.NAMES,
        description="patterns nobody has seen",
    )
    written = {"names": ["teacher", "small"], "devices": ["host"]}
    made = [folder_of(task, "float32"), folder_of(task, scheme)]
    metric = "auc" if task == "verification" else "accuracy"
    select(
        models=[folder / "lite" for folder in made],
        evaluations=[folder / "evaluation" for folder in made],
        benchmarks=[folder / "host" for folder in made],
        data=None,
        reference=None,
        search=None,
        decision=root / "decision",
        winner=root / "winner",
        winner_evaluation=root / "winner_evaluation",
        page=root / "leaderboard.html",
        metrics=root / "metrics.json",
        **written,
        candidates=["small"],
        task=task,
        metric=metric,
        drop=0.3,
        resamples=20,
    )
    for name, lite, earlier in (
        ("sealed_teacher", made[0] / "lite", made[0] / "evaluation"),
        ("sealed_winner", root / "winner", root / "winner_evaluation"),
    ):
        evaluate(
            lite, root / "sealed", earlier, root / name, root / "m", root / "c",
            split="sealed", resamples=20,
        )  # fmt: skip
    publish(
        [root / "winner"], [root / "decision"], [root / "sealed_winner"], root / "sealed_teacher",
        root / "release", root / "page.html", root / "report.html", name="patterns", metric=metric, drop=0.3,
        resamples=50, **(ABOUT if task == "classification" else {}),
    )  # fmt: skip
    outputs = np.load(root / "sealed_winner" / "outputs.npy")
    return Published(root / "release", root / "page.html", images, outputs)


@pytest.fixture(scope="module", params=list(SCHEMES))
def verifier(request, tmp_path_factory, folder_of):
    root = tmp_path_factory.mktemp("verifier")
    return released(root, "verification", request.param, folder_of)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory, folder_of):
    root = tmp_path_factory.mktemp("classifier")
    return released(root, "classification", "int8-uint8", folder_of)


def answer(release, pixels):
    """Feed one image as the manifest's numbers say; nothing here knows slimline."""
    manifest = json.loads((release / "manifest.json").read_bytes())
    given, answered = manifest["input"], manifest["output"]
    runtime = Interpreter(model_path=str(release / manifest["file"]), num_threads=1)
    runtime.allocate_tensors()
    tensor = np.empty(given["shape"], given["dtype"])
    normal, levels = given["normalization"], given["quantization"]
    for place, pixel in np.ndenumerate(pixels):
        value = (int(pixel) - normal["mean"]) / normal["scale"]
        if levels:
            level = value / levels["scale"] + levels["zero_point"] + levels["rounding"]
            value = min(max(int(level // 1), levels["lowest"]), levels["highest"])
        tensor[(0, *place)] = value
    runtime.set_tensor(runtime.get_input_details()[0]["index"], tensor)
    runtime.invoke()
    raw = runtime.get_tensor(runtime.get_output_details()[0]["index"])
    assert list(raw.shape) == answered["shape"]
    assert raw.dtype == answered["dtype"]
    if levels := answered["quantization"]:
        return (raw[0].astype(float) - levels["zero_point"]) * levels["scale"]
    return raw[0].astype(float)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_the_manifest_alone_gives_the_answers_of_evaluate(verifier):
    got = np.stack([answer(verifier.release, image) for image in verifier.images[:12]])
    assert np.allclose(unit(got), unit(verifier.outputs[:12]), atol=1e-5)


def test_the_manifest_alone_decides_as_evaluate_does(verifier):
    compare = verifier.manifest["output"]["compare"]
    assert compare["normalize"] == "l2"
    vectors = unit(np.stack([answer(verifier.release, image) for image in verifier.images[:12]]))
    decided = vectors @ vectors.T >= compare["threshold"]
    known = unit(verifier.outputs[:12].astype(float))
    expected = known @ known.T
    clear = np.abs(expected - compare["threshold"]) > 1e-4
    assert (decided == (expected >= compare["threshold"]))[clear].all()
    assert 0.05 < decided[np.triu_indices(12, 1)].mean() < 0.95


def test_the_report_shows_what_is_in_the_real_file(verifier):
    """From the converter's own record, through select and publish, to the page."""
    report = (verifier.release.parent / "report.html").read_text()
    qualified = verifier.manifest["qualified"]
    assert f'<body class="{"qualified" if qualified else "unqualified"}">' in report
    for reason in verifier.manifest["reasons"]:
        assert html.escape(reason[1:]) in report
    for part in ("What the bytes are there for", "From weights to download: small", "cosine ",
                 "CONV_2D", "XNNPACK", "Same answers as Keras"):  # fmt: skip
        assert part in report, part
    assert "Nothing tells how" not in report
    before = (verifier.release.parent / "leaderboard.html").read_text()
    assert '<body class="chosen">' in before


def test_a_classifiers_manifest_gives_labels(classifier):
    labels = classifier.manifest["output"]["labels"]
    columns = patterns.NAMES  # of evaluate's outputs
    for image, scores in zip(classifier.images[:8], classifier.outputs[:8], strict=True):
        assert labels[int(np.argmax(answer(classifier.release, image)))] == columns[scores.argmax()]


def run_example(published, code, tmp_path):
    """Run the card's own program, in the release's folder, in a process that knows no slimline."""
    np.save(tmp_path / "images.npy", published.images[:8])
    (program,) = re.findall(
        r"```python\n(.*?)```", (published.release / "card.md").read_text(), re.DOTALL
    )
    (tmp_path / "app.py").write_text(
        f"{program}\nimages = np.load({str(tmp_path / 'images.npy')!r})\n{code}"
    )
    done = subprocess.run(
        [sys.executable, str(tmp_path / "app.py")],
        cwd=published.release, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": ""},
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def test_the_example_of_the_card_runs(verifier, classifier, tmp_path):
    same = "print(json.dumps([[bool(same(a, b)) for b in images] for a in images]))"
    got = np.array(run_example(verifier, same, tmp_path))
    known = unit(verifier.outputs[:8].astype(float))
    threshold = verifier.manifest["output"]["compare"]["threshold"]
    clear = np.abs(known @ known.T - threshold) > 1e-4
    assert (got == (known @ known.T >= threshold))[clear].all()
    labels = run_example(classifier, "print(json.dumps([label(i) for i in images]))", tmp_path)
    assert labels == [patterns.NAMES[row.argmax()] for row in classifier.outputs[:8]]


def test_the_manifest_names_the_file_that_lies_beside_it(verifier):
    manifest = verifier.manifest
    file = verifier.release / manifest["file"]
    assert file_sha256(file) == manifest["sha256"]
    assert file.stat().st_size == manifest["size_bytes"]
    assert {path.name for path in verifier.release.iterdir()} == {
        "model.tflite", "manifest.json", "card.md", "card.html",
    }  # fmt: skip
    assert (verifier.release / "card.html").read_text() == verifier.page.read_text()


def test_the_words_of_the_formula_say_what_the_numbers_say(verifier):
    given = verifier.manifest["input"]
    if given["dtype"] == "uint8":
        # Calibration sets one black and one white pixel, so levels are the pixels themselves.
        assert given["takes_pixels"]
        assert "pixels as they are" in given["formula"]
    elif given["dtype"] == "int8":
        assert "pixel - 128" in given["formula"]
    else:
        assert "(pixel - 127.5) / 127.5 as float32" in given["formula"]


def test_the_sealed_result_is_in_manifest_and_card(verifier):
    sealed, card = verifier.manifest["sealed"], (verifier.release / "card.md").read_text()
    assert sealed["drop"]["low"] <= sealed["drop"]["value"] <= sealed["drop"]["high"]
    assert sealed["description"] == "patterns nobody has seen"
    kept = sealed["drop"]["high"] <= 0.3
    level = "not certainly better than raw-pixel cosine" in verifier.manifest["reasons"][0]
    assert verifier.manifest["qualified"] == (kept and not level)
    for heading in ("Intended use", "Evaluation data", "Caveats", "Lineage", "Ethical"):
        assert f"## {heading}" in card
    assert verifier.manifest["sha256"] in card


BUDGET = {"name": "faces", "metric": "auc", "resamples": 50}


def chosen(root, **changes):
    """A decision between made-up variants, and reports of both on a sealed split."""
    variants = [
        Variant("teacher", noise=0.5, size_bytes=90_000),
        Variant("small", noise=0.52, size_bytes=9_000),
    ]
    written = write_variants(root / "in", variants)
    select(
        **written.inputs(),
        decision=root / "decision", winner=root / "winner",
        winner_evaluation=root / "winner_evaluation", page=root / "page.html",
        metrics=root / "metrics.json", candidates=["small"], task="verification",
        resamples=50, **{"metric": "auc", "drop": 0.05, **changes},
    )  # fmt: skip
    return root


def publish_sealed(root, teacher, small, drop=0.05):
    sealed = write_variants(root / "sealed", [teacher, small], split="sealed")
    publish(
        [root / "winner"], [root / "decision"], [sealed.evaluations[1]], sealed.evaluations[0],
        root / "release", root / "release.html", root / "report.html", drop=drop, **BUDGET,
    )  # fmt: skip
    return json.loads((root / "release" / "manifest.json").read_bytes())


@pytest.mark.parametrize(
    ("small", "qualified", "reason"),
    [
        (Variant("small", noise=0.52), True, "the sealed images confirm it: drop"),
        (Variant("small", noise=2.0), False, "exceeds 0.050"),
        (Variant("small", constant=True), False, "answers the same to every image"),
        (Variant("small", crashed=11), False, "signal 11 (SIGSEGV)"),
    ],
)
def test_a_sealed_result_outside_the_budget_does_not_qualify(tmp_path, small, qualified, reason):
    manifest = publish_sealed(chosen(tmp_path), Variant("teacher", noise=0.5), small)
    assert manifest["qualified"] is qualified
    assert reason in manifest["reasons"][0]
    state = "Qualified" if qualified else "Not qualified"
    assert (
        f"{state}: {'; '.join(manifest['reasons'])}"
        in (tmp_path / "release" / "card.md").read_text()
    )
    assert state.lower() in (tmp_path / "release.html").read_text()


def test_without_the_reference_nothing_qualifies(tmp_path):
    manifest = publish_sealed(chosen(tmp_path), Variant("teacher", crashed=9), Variant("small"))
    assert not manifest["qualified"]
    assert "the drop is unknown" in manifest["reasons"][0]


def test_what_listed_pairs_gave_is_in_manifest_and_card(tmp_path):
    variants = [Variant("teacher", noise=0.5), Variant("small", noise=0.52)]
    sealed = write_variants(tmp_path / "sealed", variants, split="sealed")
    found = PairListResult("pairs.txt", 400, 120, 0.93, 0.01, (0.92, 0.94), (0.3, 0.31))
    for path, accuracy in zip(sealed.evaluations, (0.93, 0.92), strict=True):
        one = Evaluation.read(path)
        pairs, trivial = replace(found, accuracy=accuracy), replace(found, accuracy=0.61)
        replace(one, pairs=pairs, baseline=replace(one.baseline, pairs=trivial)).write(path)
    root = chosen(tmp_path)
    publish(
        [root / "winner"], [root / "decision"], [sealed.evaluations[1]], sealed.evaluations[0],
        root / "release", root / "release.html", root / "report.html", drop=0.05, **BUDGET,
    )  # fmt: skip
    manifest = json.loads((root / "release" / "manifest.json").read_bytes())
    reached = {who: one["accuracy"] for who, one in manifest["sealed"]["pairs"].items()}
    assert reached == {"winner": 0.92, "reference": 0.93, "baseline": 0.61}
    card = (root / "release" / "card.md").read_text()
    line = next(line for line in card.splitlines() if "Accuracy on pairs.txt" in line)
    for part in ("small 0.9200", "teacher 0.9300", "0.6100", "400 pairs of 120 images: 2 folds"):
        assert part in line
    assert "Accuracy on pairs.txt" in (root / "release.html").read_text()


def test_the_same_inputs_give_the_same_bytes(tmp_path):
    chosen(tmp_path / "one")
    publish_sealed(tmp_path / "one", Variant("teacher", noise=0.5), Variant("small", noise=0.52))
    chosen(tmp_path / "other")
    publish_sealed(tmp_path / "other", Variant("teacher", noise=0.5), Variant("small", noise=0.52))
    one, other = (tree_of(tmp_path / name / "release") for name in ("one", "other"))
    assert one == other


def test_an_empty_result_is_passed_on_with_the_nearest_misses(tmp_path):
    chosen(tmp_path, drop=0.0, size_mb=0.001)
    write_empty(tmp_path / "sealed", "nothing keeps the budgets")
    publish(
        [tmp_path / "winner"], [tmp_path / "decision"], [tmp_path / "sealed"], tmp_path / "sealed",
        tmp_path / "release", tmp_path / "release.html", tmp_path / "report.html", drop=0.0, **BUDGET,
    )  # fmt: skip
    assert [path.name for path in (tmp_path / "release").iterdir()] == ["none.json"]
    content = json.loads((tmp_path / "release" / "none.json").read_bytes())
    assert content["winner"] is None
    assert [miss["name"] for miss in content["near_misses"]] == ["small"]
    page = (tmp_path / "release.html").read_text()
    assert "Nothing keeps every budget" in page
    assert "9 kB" in page or "0.009 MB" in page
    assert canonical_json(content) == (tmp_path / "release" / "none.json").read_bytes()


def test_what_the_configuration_says_about_a_release_is_in_its_card(classifier, verifier):
    assert classifier.manifest["about"] == ABOUT
    card = (classifier.release / "card.md").read_text()
    for line in (
        "- Owner: Ann &lt;b>Example&lt;/b>", "- Contact: ann@example.org",
        "- Purpose: sorting patterns", "- Licence of the images: CC0-1.0", "- Legal basis: consent",
    ):  # fmt: skip
        assert line in card.splitlines()
    assert "<b>Example" not in (classifier.release / "card.html").read_text()
    assert "about" not in verifier.manifest
    assert "Owner" not in (verifier.release / "card.md").read_text()
