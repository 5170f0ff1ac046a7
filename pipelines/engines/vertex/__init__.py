"""The graph on Vertex AI."""
