"""The entry point of the images with its mounts below a folder: ``python -m tests.servers.kfp.mounted``.

In a pod the launcher has /gcs, /s3 and /minio for itself. A process of this machine finds them
below the folder that is the first argument; nothing else of the entry point is changed.
"""

from __future__ import annotations

import sys

from components.__main__ import main
from components.contract import executor_input

if __name__ == "__main__":
    root, *arguments = sys.argv[1:]
    for scheme, mount in list(executor_input._MOUNTS.items()):
        executor_input._MOUNTS[scheme] = f"{root}{mount}"
    sys.exit(main(arguments))
