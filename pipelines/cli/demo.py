"""``slimline serve --demo``: a store that has something on every page, made by real commands.

Handwritten digits that come with scikit-learn are laid out as files, of which a third arrives
later: a person runs and promotes, a schedule and a watch are added, and the watch retrains when
the rest of the digits is there.
"""

from __future__ import annotations

import fcntl
import gzip
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from components.contract.errors import UserError
from pipelines.cli.output import NO_WINNER, OK, print_text
from pipelines.disk.files import beside, disk_faults
from pipelines.runs.releases.release_log import read_log
from pipelines.stores.opening import open_store
from pipelines.triggers.kept import trigger_names

_FIRST = 2 / 3
_SIDE = 8
_MARKER = "_SUCCESS"
_CONFIG = """\
# The digits that come with scikit-learn, as files: which digit is it? Small and quick.
name: digits
task: classification
data: ./digits
image: {{height: 8, width: 8, channels: 1}}
split: {{by: image}}

teacher: {{backbone: conv, alpha: 1.0, embedding: 32, epochs: {epochs}}}
variants:
  student: [{{distill: &student {{backbone: conv, alpha: 0.75, epochs: {epochs}}}}}]
  student-int8: [{{distill: *student}}, {{quantize: &int8 {{scheme: int8, input_type: uint8}}}}]
  pruned-int8: [{{distill: *student}}, {{prune: {{sparsity: 0.5, epochs: 2}}}}, {{quantize: *int8}}]

devices: [host]
budgets: {{size_mb: 0.1, latency_ms: {latency_ms}, metric: accuracy, drop: 0.08}}
minimize: size
baseline: none
store: ./store
threads: 1
releases: {{gate: {{drop: 0.05, least_images: 100}}}}
"""


@dataclass(frozen=True)
class Demo:
    """Where the demo lies.

    Attributes:
        folder: Holds all of it; it may be removed at any time.
    """

    folder: Path

    @property
    def config(self) -> Path:
        """The configuration that everything runs."""
        return self.folder / "digits.yaml"

    @property
    def strict(self) -> Path:
        """The same with a budget that nothing keeps to."""
        return self.folder / "too-strict.yaml"

    @property
    def data(self) -> Path:
        """The digits, a folder for each."""
        return self.folder / "digits"

    @property
    def store(self) -> Path:
        """The store."""
        return self.folder / "store"


def lay_out(folder: Path, epochs: int = 12) -> Demo:
    """Write what the demo begins with, unless it is there.

    Args:
        folder: Where to.
        epochs: Of every training.

    Raises:
        UserError: The folder cannot be written, or holds something else.
    """
    demo = Demo(folder.absolute())
    with disk_faults(demo.folder):
        if demo.folder.exists() and not demo.config.is_file() and any(demo.folder.iterdir()):
            raise UserError(
                f"{folder} holds something else than the demo", "name an empty folder, or a new one"
            )
        demo.store.mkdir(parents=True, exist_ok=True)
        if not demo.config.is_file():
            images = list(_digits())
            _write(demo, images[: round(_FIRST * len(images))])
            for path, latency_ms in ((demo.strict, 0.0001), (demo.config, 5)):
                text = _CONFIG.format(epochs=epochs, latency_ms=latency_ms)
                with beside(path) as unfinished:
                    unfinished.write_text(text)
                    unfinished.replace(path)
    return demo


def begin(demo: Demo) -> Path:
    """Have a process of its own do what has not been done yet.

    Returns:
        The file that it writes what it does into.
    """
    log = demo.folder / "demo.log"
    with disk_faults(log), log.open("ab") as output:
        subprocess.Popen(
            [sys.executable, "-m", "pipelines.cli.demo", str(demo.folder)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            env=_environment(),
        )  # fmt: skip
    return log


def play(demo: Demo) -> None:
    """Do what has not been done yet of the story, each command as a person would type it."""
    with (demo.folder / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # another one is at it
            return
        _go_on(demo)


def _go_on(demo: Demo) -> None:
    store = open_store(str(demo.store))
    if not read_log(store, "digits").entries:
        _slimline(demo, "run", str(demo.config))
        _slimline(demo, "promote", "digits@latest", "--store", str(demo.store))
    names = trigger_names(store)
    if "nightly" not in names:
        _slimline(
            demo, "schedule", "add", str(demo.config), "--name", "nightly",
            "--cron", "30 2 * * *", "--zone", "Europe/Berlin",
        )  # fmt: skip
    if "new-digits" not in names:
        _slimline(
            demo, "watch", "add", str(demo.config), "--name", "new-digits", "--every", "10s",
            "--marker", _MARKER, "--when", "images:200",
        )  # fmt: skip
    if not (demo.data / _MARKER).exists():
        _slimline(demo, "run", str(demo.strict))
        images = list(_digits())
        with disk_faults(demo.data):
            _write(demo, images[round(_FIRST * len(images)) :])
            (demo.data / _MARKER).touch()


def _digits() -> Iterator[tuple[int, int, bytes]]:
    """Yield number, digit and pixels of each image, a byte a pixel."""
    found = find_spec("sklearn")
    assert found is not None
    assert found.origin is not None
    file = Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz"
    with gzip.open(file, "rt") as lines:
        for number, line in enumerate(lines):
            *pixels, digit = (int(float(value)) for value in line.split(","))
            yield number, digit, bytes(min(255, pixel * 16) for pixel in pixels)


def _write(demo: Demo, images: Sequence[tuple[int, int, bytes]]) -> None:
    """Write images as PGM, which is a header and the pixels."""
    for number, digit, pixels in images:
        folder = demo.data / str(digit)
        folder.mkdir(parents=True, exist_ok=True)
        header = f"P5 {_SIDE} {_SIDE} 255\n".encode()
        (folder / f"{number:04}.pgm").write_bytes(header + pixels)


def _slimline(demo: Demo, *words: str) -> None:
    """Run a command, and say which one."""
    print_text(f"$ slimline {shlex.join(words)}")
    sys.stdout.flush()  # before what the command writes
    ended = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *words], cwd=demo.folder, check=False,
        stdin=subprocess.DEVNULL, env=_environment(),
    )  # fmt: skip
    if ended.returncode not in (OK, NO_WINNER):
        raise SystemExit(ended.returncode)  # it has said why; the next start goes on from here


def _environment() -> dict[str, str]:
    """Return an environment in which this code is found from any folder."""
    ours = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, (ours, os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path}


if __name__ == "__main__":
    play(Demo(Path(sys.argv[1])))
