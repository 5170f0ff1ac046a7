"""TFMOT's quantization-aware training on labels, then TensorFlow's converter."""

import tensorflow_model_optimization as tfmot
from given import Given, GivenModel, Made, fine_tune, integer_file, limit_tensorflow, read, write

EPOCHS, BATCH, LEARNING_RATE = 16, 64, 1e-3


def files(given: Given, model: GivenModel) -> list[tuple[str, str, bytes, Made]]:
    network = tfmot.quantization.keras.quantize_model(model.keras())
    told = fine_tune(given, model, network, epochs=EPOCHS, batch=BATCH, learning_rate=LEARNING_RATE)
    return [("qat int8", ".tflite", integer_file(given, model, network), dict(told))]


given = read()
limit_tensorflow(given)
write(given, lambda model: files(given, model))
