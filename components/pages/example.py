"""The example that every model card carries: from the manifest alone to an answer.

Tests take it out of a published card and run it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_RUN = '''\
import json
import numpy as np
from ai_edge_litert.interpreter import Interpreter

manifest = json.load(open("manifest.json"))
given, answer = manifest["input"], manifest["output"]
interpreter = Interpreter(model_path=manifest["file"])
interpreter.allocate_tensors()


def run(pixels):
    """pixels: numpy array of rows x columns x channels, whole numbers from 0 to 255."""
    value = (pixels - given["normalization"]["mean"]) / given["normalization"]["scale"]
    if levels := given["quantization"]:
        value = np.floor(value / levels["scale"] + levels["zero_point"] + levels["rounding"])
        value = np.clip(value, levels["lowest"], levels["highest"])
    tensor = value[np.newaxis].astype(given["dtype"])
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], tensor)
    interpreter.invoke()
    numbers = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0].astype(float)
    if levels := answer["quantization"]:
        numbers = (numbers - levels["zero_point"]) * levels["scale"]
    return numbers
'''

_MINE = """\
manifest = json.load(open("manifest.json"))
manifest = next(file for file in manifest["files"] if {device!r} in file["devices"])
"""

_SAME = '''

def same(one, other):
    """Whether two images show the same."""
    a, b = (vector / np.linalg.norm(vector) for vector in (run(one), run(other)))
    return float(a @ b) >= answer["compare"]["threshold"]
'''

_LABEL = '''

def label(pixels):
    """What the image shows."""
    return answer["labels"][int(np.argmax(run(pixels)))]
'''


def example(manifest: Mapping[str, Any]) -> str:
    """Return Python that feeds the model and reads its answer.

    Args:
        manifest: Content of the release's ``manifest.json``; where devices have files of their own,
            with what it says of one of them.
    """
    run = _RUN
    if devices := manifest.get("devices"):
        whole = _MINE.splitlines(keepends=True)[0]
        run = run.replace(whole, _MINE.format(device=devices[0]))
    return run + (_SAME if manifest["output"]["meaning"] == "embedding" else _LABEL)
