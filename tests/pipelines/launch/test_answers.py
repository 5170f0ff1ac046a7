"""A teacher of any framework is known by its answers: distilled from, compared with, no more."""

import json

import numpy as np
import pytest
from PIL import Image

from components.contract.errors import UserError
from pipelines.cli import tables
from pipelines.config.loading import load
from pipelines.launch.launching import launch
from pipelines.runs.cache import Cache
from pipelines.runs.leaderboard import leaderboard_of
from pipelines.runs.live.events import StepFailed
from pipelines.runs.records import read_run
from pipelines.stores.opening import open_store
from tests.data.patterns import NAMES, SIDE, images_of

CONFIG = """
name: answers
task: classification
data: ./images
image: {{height: {side}, width: {side}, channels: 1}}
split: {{by: image}}
teacher: {{outputs: ./answers.npz}}
variants:
  tiny: [{{distill: {{backbone: conv, alpha: 0.25, epochs: 1{more}}}}}]
  {other}
baseline: {baseline}
devices: [{{kind: host, processes: 1}}]
budgets: {{size_mb: 1, metric: accuracy, drop: 1}}
store: ./store
threads: 1
"""
INT8 = "int8: [{distill: {backbone: conv, alpha: 0.25, epochs: 1}}, {quantize: {scheme: int8}}]"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder of images, and the probabilities that a perfect teacher would give."""
    folder = tmp_path_factory.mktemp("answers")
    pixels, labels = images_of(96, seed=0)
    paths = []
    for number, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        place = folder / "images" / NAMES[label] / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(place)
        paths.append(f"{NAMES[label]}/{number}.png")
    outputs = np.full((len(labels), len(NAMES)), 0.02, np.float32)
    outputs[np.arange(len(labels)), labels] = 1 - 0.02 * (len(NAMES) - 1)
    return folder, np.array(paths), outputs


def write(data, folder, *, kept=slice(None), more="", other="", baseline="linear", **changed):
    source, paths, outputs = data
    if not (folder / "images").exists():
        (folder / "images").symlink_to(source / "images")
    arrays = {"paths": paths[kept], "outputs": outputs[kept], **changed}
    np.savez(folder / "answers.npz", **{key: a for key, a in arrays.items() if a is not None})
    text = CONFIG.format(side=SIDE, more=more, other=other, baseline=baseline)
    (folder / "answers.yaml").write_text(text)
    return load(folder / "answers.yaml")


def run(config, folder):
    launched = launch(
        config, store=str(folder / "store"), output=folder / "out", on_event=lambda _: None
    )
    failed = [event for event in launched.steps.values() if isinstance(event, StepFailed)]
    return launched, failed


def test_a_student_of_answers_is_compared_with_them_and_released(data, tmp_path):
    order = np.array([2, 0, 3, 1])
    classes = np.array(NAMES)[order]
    config = write(data, tmp_path, other=INT8, outputs=data[2][:, order], classes=classes)
    launched, failed = run(config, tmp_path)
    assert launched.outcome == "done", failed
    steps = set(launched.steps)
    assert {"import-answers", "evaluate-teacher", "evaluate-sealed-teacher"} <= steps
    assert not {"convert-teacher", "benchmark-teacher-host"} & steps
    cache = Cache(open_store(str(tmp_path / "store")), tmp_path / "scratch")
    board = leaderboard_of(cache, read_run(cache.store, launched.run))
    teacher, *variants = board.to_json()["variants"]
    assert (teacher["verdict"], teacher["metric"]["value"]) == ("reference", 1.0)
    assert [teacher[key] for key in ("sha256", "size_bytes", "parameters")] == [None] * 3
    assert teacher["latency"] == {}
    for variant in variants:  # paired: the teacher is right about each of the same images
        assert variant["drop"]["value"] == pytest.approx(1 - variant["metric"]["value"])
        assert variant["latency"]["host"]["p50_ms"]
    assert all(row.digest for row in board.variants[1:])
    assert tables.leaderboard(board)
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["sealed"]["reference"]["accuracy"]["value"] == 1.0
    assert "no file" in (tmp_path / "out/card.md").read_text()
    assert "known by its answers alone" in (tmp_path / "out/report.html").read_text()
    # The linear map of the pixels stands beside the variants everywhere, and wins nothing.
    linear = next(one for one in variants if one["name"] == "linear-baseline")
    assert (linear["verdict"], linear["candidate"]) == ("comparison", False)
    assert linear["reason"].startswith("no candidate")
    assert linear["metric"]["value"] > 0.9, "patterns are linear"
    assert board.to_json()["winner"] in ("tiny", "int8")
    text = f"accuracy {linear['metric']['value']:.3f}"
    for name in ("report.html", "card.md"):
        page = (tmp_path / "out" / name).read_text().replace("\\", "")
        assert "Compared with linear-baseline" in page
        assert "train linear, quantize int8; measured like a variant, and no candidate" in page
        assert text in page


def test_images_without_an_answer_are_counted_and_named_and_the_fix_helps(data, tmp_path):
    _, failed = run(write(data, tmp_path, kept=slice(30, None), baseline="none"), tmp_path)
    (fault,) = failed  # said once: what would measure these answers waits for their import
    assert fault.step == "import-answers"
    assert fault.user_fault
    assert "no answer for 30 of 96 images" in fault.what
    assert data[1][0] in fault.what
    assert "add their answers" in fault.fix


FAULTS = {
    "prune": ({"other": "p: [{prune: {sparsity: 0.5}}]"}, "there is no network", "distill"),
    "quantize": ({"other": "q: [{quantize: {scheme: int8}}]"}, "there is no network", "distill"),
    "mixup": ({"more": ", mixup: 4"}, "cannot be asked about mixed", "remove mixup"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_needs_a_network_is_refused_by_the_configuration(fault, data, tmp_path):
    given, what, fix = FAULTS[fault]
    with pytest.raises(UserError, match=what) as caught:
        write(data, tmp_path, **given)
    assert fix in caught.value.fix
    write(data, tmp_path, other=INT8)
