"""Setting TensorFlow up: what must hold before its first op, shown in fresh processes."""

import subprocess
import sys

import pytest

from tests.data.tensorflow_threads import THREADS

START = "import sys; sys.path.insert(0, '.'); from components.ml.runtime import configure, tf, tf_keras;"


def run(code):
    command = [sys.executable, "-c", START + code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.strip(), done.stderr


def test_importing_the_training_side_runs_no_op_so_that_a_process_can_fork():
    code, out, errors = run(
        "import pkgutil, importlib, components.ml;"
        "[importlib.import_module('components.ml.' + module.name)"
        " for module in pkgutil.iter_modules(components.ml.__path__)];"
        "from tensorflow.python.eager import context;"
        "print(context.context()._context_handle is None)"
    )
    assert (code, out) == (0, "True"), errors


def test_threads_determinism_and_seeds_are_set():
    code, out, errors = run(
        "from tensorflow.python.framework.config import is_op_determinism_enabled as exact;"
        "configure(1, 7); import random, numpy;"
        "print(tf.config.threading.get_intra_op_parallelism_threads(),"
        " tf.config.threading.get_inter_op_parallelism_threads(),"
        " exact(),"
        " tf.config.list_physical_devices('GPU'), tf_keras.__version__[0]);"
        "one = (random.random(), numpy.random.rand(), float(tf.random.normal(())));"
        "configure(1, 7);"
        "print(one == (random.random(), numpy.random.rand(), float(tf.random.normal(()))))"
    )
    assert (code, out.splitlines()) == (0, ["1 1 True [] 2", "True"]), errors


def test_convolutions_run_on_onednn_whatever_the_cpu_and_the_caller(monkeypatch):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    code, out, errors = run(
        "from tensorflow.python.eager import context;"
        "context.enable_graph_collection();"
        "image, kernel = tf.ones((1, 8, 8, 4)), tf.ones((3, 3, 4, 4));"
        "tf.function(lambda: tf.nn.conv2d(image, kernel, 1, 'SAME'), autograph=False)();"
        "graphs = context.export_run_metadata().partition_graphs;"
        "print(any('Mkl' in node.op for graph in graphs for node in graph.node))"
    )
    assert (code, out) == (0, "True"), errors


def test_names_of_layers_start_anew():
    code, out, errors = run(
        "[(configure(1, 0), print(tf_keras.layers.Dense(1).name)) for _ in range(2)]"
    )
    assert (code, out.split()) == (0, ["dense", "dense"]), errors


def test_other_threads_after_the_first_op_are_an_error_and_not_a_surprise():
    code, _, errors = run("configure(1, 0); tf.constant(1.0) + 1.0; configure(2, 0)")
    assert code == 1
    assert "cannot be modified after initialization" in errors


@pytest.mark.parametrize("given", [True, False])
def test_tests_give_tensorflow_the_threads_of_steps_before_its_first_op(given):
    hook = "from tests.data.tensorflow_threads import two_threads as hook; "
    op = "import tensorflow as tf; tf.constant(1.0) + 1.0; "  # by a test that says no threads
    code = f"{hook}{'hook(); ' * given}{op}"
    code += f"from components.ml.runtime import configure; configure({THREADS}, 0)"
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, '.'); {code}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == given, done.stderr
