"""The intermediate representation of Kubeflow Pipelines."""
