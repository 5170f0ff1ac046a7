"""Write the network of a Model as a ``.h5`` file of Keras 2, which every peer can read.

``python -m tests.benchmarks.peers.exporting MODEL FILE.h5``, a process of its own: Keras is imported.
"""

from __future__ import annotations

import sys
from pathlib import Path


def export(model: Path, file: Path) -> None:
    """Write the network of the Model in the folder ``model`` as ``file``."""
    from components.ml.formats import model_folder

    network, _ = model_folder.load(model, purpose="handed to other tools")
    network.save(file, save_format="h5", include_optimizer=False)


if __name__ == "__main__":
    export(Path(sys.argv[1]), Path(sys.argv[2]))
