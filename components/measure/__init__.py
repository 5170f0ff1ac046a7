"""Measuring: what evaluate and benchmark find out about a model."""
