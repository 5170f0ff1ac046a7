"""The user's ``benchmark_model`` as what times a model on a device."""
