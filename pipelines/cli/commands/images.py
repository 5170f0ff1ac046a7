"""``slimline images``: the images that steps run in, and that of the service: built, pushed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.contract.errors import UserError, suggest
from pipelines.cli.arguments import add_command
from pipelines.cli.output import OK, USER_FAULT, complain, print_text

if TYPE_CHECKING:
    from pipelines.images.building import AnyImage


_FOR = {"train-gpu": "for steps with a GPU alone", "service": "for pages on a cluster alone"}


def add(commands: Any) -> None:
    """Add the parsers of the command and its actions."""
    parser = add_command(commands, "images", "build, push and list the images", None)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    build = add_command(actions, "build", "build the images of the code at hand", _build)
    build.add_argument(
        "names", nargs="*", metavar="IMAGE",
        help="train, device, light, train-gpu, or service, which serves pages on a cluster; "
        "none: the first three",
    )  # fmt: skip
    build.add_argument(
        "--gpu", action="store_true", help="also train-gpu, for steps that train on a GPU"
    )
    build.add_argument("--base", metavar="NAME", help="base image with Python 3.11 and pip")
    build.add_argument("--network", metavar="NAME", help="Docker network of the build")
    build.add_argument("--ca-bundle", type=Path, metavar="FILE", help="extra certificates for pip")
    push = add_command(actions, "push", "push the built images to a registry", _push)
    push.add_argument("registry", metavar="REGISTRY", help="such as europe-docker.pkg.dev/me/mine")
    push.add_argument("names", nargs="*", metavar="IMAGE", help="as for build")
    push.add_argument("--gpu", action="store_true", help="also train-gpu")
    add_command(actions, "list", "say which images of the code at hand are there", _list)


def _names(arguments: argparse.Namespace) -> list[AnyImage]:
    from components.contract.images import GPU_IMAGE
    from pipelines.images.building import BUILT, IMAGES

    for name in arguments.names:
        if name not in BUILT:
            raise UserError(f"there is no image {name!r}", suggest(name, BUILT))
    wanted = {*(arguments.names or IMAGES), *((GPU_IMAGE,) if arguments.gpu else ())}
    return [image for image in BUILT if image in wanted]


def _build(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from pipelines.cli import visible
    from pipelines.images import building
    from pipelines.images.daemon import connect, daemon_faults

    names, client = _names(arguments), connect()
    for name in names:
        tag = building.image_name(name)
        with (
            daemon_faults(f"{tag} cannot be built"),
            Console(stderr=True).status(f"building {tag}") as status,
        ):
            for line in building.build(
                client,
                name,
                base=arguments.base or building.BASE_IMAGE,
                network=arguments.network,
                ca_bundle=arguments.ca_bundle,
            ):
                status.update(visible.line(f"{tag}: {line.splitlines()[-1][:100]}"))
            built = building.find(client, name)
        print_text(f"{built.name}  {built.size_bytes / 1e6:,.0f} MB  {built.digest}")
    return OK


def _push(arguments: argparse.Namespace) -> int:
    from pipelines.images import building
    from pipelines.images.daemon import connect, daemon_faults

    names, registry = _names(arguments), building.check_registry(arguments.registry)
    client = connect()
    for name in names:
        with daemon_faults(f"{building.image_name(name)} cannot be pushed to {registry}"):
            pushed = building.push(client, name, registry)
        print_text(pushed)
    return OK


def _list(_arguments: argparse.Namespace) -> int:
    from pipelines.images import building
    from pipelines.images.daemon import connect, daemon_faults

    client, missing = connect(), 0
    with daemon_faults("the images cannot be listed"):
        for name in building.BUILT:
            needed = name in building.IMAGES
            try:
                built = building.find(client, name)
            except UserError as error:
                missing += needed
                state = "missing" if needed else f"not built, {_FOR[name]}"
                print_text(f"{building.image_name(name)}  {state}: {error.what}")
            else:
                size_mb = f"{built.size_bytes / 1e6:,.0f} MB"
                print_text(f"{built.name}  {size_mb}  {built.digest}")
    if missing:
        complain(f"{missing} of {len(building.IMAGES)} images are missing", "slimline images build")
    return USER_FAULT if missing else OK
