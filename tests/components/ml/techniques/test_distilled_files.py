"""What a student learns of its teacher's answers, term by term, in the file that ships."""

from dataclasses import replace

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from components.artifacts.dataset import Dataset
from components.artifacts.model import ModelInfo
from components.ml.formats import model_folder
from components.ml.lite.writing import to_lite
from components.ml.training import losses
from components.ml.training.outputs import outputs_of
from tests.components.ml.techniques.test_distillation import OPTIMIZATION, SETTINGS, distilled

NOTHING = replace(SETTINGS, label_weight=0.0, embedding_weight=0.0, relational_weight=0.0)
LONG = replace(OPTIMIZATION, epochs=8)
TERMS = {
    "soft_labels": ("pattern_data", "pattern_classifier", replace(SETTINGS, soft_weight=1.0)),
    "embedding_matching": (
        "pattern_pairs", "pattern_verifier", replace(NOTHING, embedding_weight=1.0),
    ),
    "relational_matching": (
        "pattern_pairs", "pattern_verifier", replace(NOTHING, relational_weight=1.0),
    ),
    "similarity_matching": (
        "pattern_pairs", "pattern_verifier", replace(NOTHING, similarity_weight=30.0),
    ),
}  # fmt: skip


def of_file(student, images):
    """What the file of a student answers to images."""
    info = ModelInfo.read(student)
    run = Interpreter(model_content=to_lite(student, info, None)).get_signature_runner()
    given = model_folder.normalize(images, info)
    return np.concatenate([next(iter(run(image=one[None]).values())) for one in given])


def of_teacher(teacher, images):
    """What a teacher answers, as it is learned: embeddings, or logarithms of probabilities."""
    network, info = model_folder.load(teacher)
    answers = outputs_of(network, info)(images)
    return answers if info.task == "verification" else np.log(answers + 1e-12)


@pytest.mark.parametrize("term", TERMS)
def test_the_file_comes_near_by_this_term_alone_and_not_by_answers_to_other_images(
    term, request, tmp_path, monkeypatch
):
    form, kind, settings = TERMS[term]
    data, teacher = request.getfixturevalue(form), request.getfixturevalue(kind)
    images = np.asarray(Dataset.open(data).images("selection"))
    wanted, distance = of_teacher(teacher, images), getattr(losses, term)
    more = (4.0,) if term == "soft_labels" else ()
    apart = {}
    for name in ("right", "of other images"):
        if name == "of other images":
            monkeypatch.setattr(
                losses, term, lambda own, theirs, *rest: distance(own, theirs[::-1], *rest)
            )
        student, _ = distilled(data, teacher, tmp_path / name, LONG, settings)
        apart[name] = float(distance(of_file(student, images), wanted, *more))
    assert apart["right"] < 0.5 * apart["of other images"], apart
