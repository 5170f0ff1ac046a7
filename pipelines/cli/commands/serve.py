"""``slimline serve``: the pages of a store."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from components.contract.errors import UserError
from pipelines.cli.arguments import add_command, check_folder
from pipelines.cli.output import OK, print_remark

_CHANGES = """\
changes: triggers of the store are evaluated while it serves, and pages start, cancel, promote
and roll back; --read-only does nothing of that."""

_END_S = 2.5


def add(commands: Any) -> None:
    """Add the parser of the command."""
    parser = add_command(
        commands, "serve", "pages of a store: runs, lineage, releases, triggers", run, _CHANGES
    )
    parser.add_argument(
        "--settings", type=Path, metavar="FILE", help="a YAML file: docs/service.md"
    )
    parser.add_argument("--store", metavar="PLACE", help="default: ./slimline-store")
    parser.add_argument("--port", type=int, metavar="N", help="default: 8080; 0: any that is free")
    parser.add_argument(
        "--demo", type=Path, nargs="?", const=Path("slimline-demo"), metavar="DIR",
        help="make a store with something on every page, in DIR (default: slimline-demo here)",
    )  # fmt: skip
    parser.add_argument("--read-only", action="store_true", help="nothing is started or changed")
    parser.add_argument("--open", action="store_true", help="open the first page in a browser")


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C, and return the exit code."""
    try:
        import starlette
        import uvicorn
    except ModuleNotFoundError as error:
        raise UserError(
            f"slimline serve needs the package {error.name}, which is not installed",
            "pip install 'slimline[serve]'",
        ) from None
    assert starlette
    assert uvicorn
    from pipelines.stores.opening import open_store
    from pipelines.web.serving import serve
    from pipelines.web.settings import load_settings

    settings = load_settings(arguments.settings)
    given = {
        "store": arguments.store,
        "port": arguments.port,
        "read_only": arguments.read_only or None,
    }
    update = {key: value for key, value in given.items() if value is not None}
    if arguments.demo:
        update |= _demo(arguments)
    settings = settings.given(update)
    if not arguments.demo and (arguments.store or not arguments.settings):
        check_folder(settings.store)

    def ready(link: str) -> None:
        print_remark(f"open {link}\nCtrl-C ends it; runs that go on do not end with it")
        if arguments.open:
            _open(link)

    serve(open_store(settings.store), settings, on_ready=ready, say=print_remark, on_end=_end_soon)
    return OK


def _open(link: str) -> None:
    """Open a page in a browser of this machine, once it is answered."""
    import threading
    import webbrowser

    threading.Timer(0.2, lambda: webbrowser.open(link)).start()


def _end_soon() -> None:
    """Let this process end even where an answer that nobody waits for any more takes long."""
    import os
    import threading

    timer = threading.Timer(_END_S, os._exit, (OK,))
    timer.daemon = True
    timer.start()


def _demo(arguments: argparse.Namespace) -> dict[str, object]:
    """Begin the demo, and return the settings that show it."""
    from pipelines.cli.demo import begin, lay_out

    for option in ("settings", "store", "read_only"):
        if getattr(arguments, option):
            name = option.replace("_", "-")
            raise UserError(f"--demo makes a store of its own: --{name} says otherwise",
                            f"leave --demo out, or --{name}")  # fmt: skip
    demo = lay_out(arguments.demo)
    print_remark(f"the demo fills {demo.store} for about two minutes: see {begin(demo)}")
    return {"store": str(demo.store), "configs": (demo.config, demo.strict)}
