"""Import answers: what a teacher of any framework answered, as a Model that holds nothing else."""

from __future__ import annotations

from components.contract.types import DatasetIn, ModelOut, PositiveInt, ReportOut, Seed, SourceIn

IMAGE = "train"


def import_answers(
    source: SourceIn,
    dataset: DatasetIn,
    model: ModelOut,
    report: ReportOut,
    *,
    threads: PositiveInt = 2,
    seed: Seed = 0,
) -> None:
    """Take the answers of a teacher that ran elsewhere, one for each image file.

    Students can be distilled from them and are compared with them, and nothing else: there is no
    network to prune, quantize, convert or time. Every image that is used needs an answer.

    Args:
        source: An ``.npz`` file: ``paths`` (n texts, relative to the data), ``outputs`` (n x d:
            embeddings, probabilities or logits) and perhaps ``classes`` (d names). With two
            classes d may be 1: the probability of the class that is named, or of the second.
        dataset: Gives task, classes and the paths of the images in the splits.
        model: The answers to the open splits, in their order.
        report: ``import.json``: where they came from, what they are, and the validation metric.
        threads: Threads of TensorFlow, count.
        seed: Of everything random.

    Raises:
        UserError: The file is damaged, an image has no answer, or the answers are none for the
            task.
    """
    from components.ml.runtime import configure
    from components.ml.techniques import importing_answers

    configure(threads, seed)
    importing_answers.import_answers(source, dataset, model, report)
