"""The frameworks, imported the one way that is right, and set up for bit-identical results.

Every module of ``components/ml`` takes ``tf`` and ``tf_keras`` from here. Importing runs no op, so
a process that has only imported can still fork.
"""

from __future__ import annotations

import os
from typing import Any

# Read while TensorFlow is imported or when its first op runs. Keras 2, because that is all that
# tensorflow_model_optimization works on; accelerators stay hidden unless the caller names one.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
# TensorFlow itself turns oneDNN on only for the newest CPUs; on others ResNet50 trains three times
# slower without it. Results hang on it, so nobody may set it otherwise.
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"

import tensorflow  # noqa: ICN001 the short name is the untyped one below
import tf_keras as keras2

from components.contract.accelerator import given, unusable

tf: Any = tensorflow
tf_keras: Any = keras2


def configure(threads: int, seed: int) -> None:
    """Make what follows depend on its inputs, ``threads`` and ``seed`` alone.

    Call it before any op. Names of layers start anew, so that an artifact does not show what
    else its process has built.

    Args:
        threads: Threads that one op may use, and ops that may run at once.
        seed: Seeds the generators of Python, numpy and TensorFlow.

    Raises:
        RuntimeError: Ops have already run in this process with another count of threads.
        UserError: The step was given a GPU that TensorFlow does not see.
    """
    if accelerator := given():
        devices = tf.config.list_physical_devices("GPU")
        if not devices:
            raise unusable(accelerator)
        details = tf.config.experimental.get_device_details(devices[0])
        accelerator.name = details.get("device_name", "unknown")
    threading = tf.config.threading
    if threading.get_intra_op_parallelism_threads() != threads:
        threading.set_intra_op_parallelism_threads(threads)
        threading.set_inter_op_parallelism_threads(threads)
    tf.config.experimental.enable_op_determinism()
    tf_keras.backend.clear_session()
    tf_keras.utils.set_random_seed(seed)
