"""TensorFlow's own converter, int8 after training: the plain way."""

from given import integer_file, limit_tensorflow, read, write

given = read()
limit_tensorflow(given)
write(given, lambda model: [("int8", ".tflite", integer_file(given, model, model.keras()), {})])
