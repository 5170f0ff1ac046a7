"""Kubeflow Pipelines: the graph as its intermediate representation, and what runs it there."""
