"""TFMOT's pruning of half of the weights, trained on labels, then TensorFlow's converter, int8.

The share of zeros rises over the first half of the training, as in TFMOT's guide. The file stays
as long as it was: what pruning makes smaller is the file after gzip.
"""

import tensorflow_model_optimization as tfmot
from given import (
    Given,
    GivenModel,
    Made,
    fine_tune,
    integer_file,
    limit_tensorflow,
    read,
    steps_of,
    write,
)

EPOCHS, BATCH, LEARNING_RATE = 16, 64, 1e-3
SPARSITY = 0.5
SPARSITY_EVERY = 50
"""Steps between two choices of zeros."""

sparsity = tfmot.sparsity.keras


def files(given: Given, model: GivenModel) -> list[tuple[str, str, bytes, Made]]:
    half = steps_of(given, EPOCHS, BATCH) // 2
    schedule = sparsity.PolynomialDecay(
        initial_sparsity=0.0,
        final_sparsity=SPARSITY,
        begin_step=0,
        end_step=max(half, 1),
        frequency=min(SPARSITY_EVERY, max(half, 1)),
    )
    network = sparsity.prune_low_magnitude(model.keras(), pruning_schedule=schedule)
    told = fine_tune(
        given,
        model,
        network,
        epochs=EPOCHS,
        batch=BATCH,
        learning_rate=LEARNING_RATE,
        callbacks=(sparsity.UpdatePruningStep(),),
    )
    stripped = sparsity.strip_pruning(network)
    return [("pruned 50 int8", ".tflite", integer_file(given, model, stripped), dict(told))]


given = read()
limit_tensorflow(given)
write(given, lambda model: files(given, model))
