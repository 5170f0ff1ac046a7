"""The API server of Kubeflow Pipelines, and who asks it."""
