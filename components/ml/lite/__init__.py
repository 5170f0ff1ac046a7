"""LiteRT: from a Model to a .tflite file that answers the same."""
