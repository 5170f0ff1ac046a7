"""One setting of TensorFlow for all tests of a process: it is fixed by the first op."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def _runtime():
    from components.ml.runtime import configure

    configure(threads=2, seed=0)
