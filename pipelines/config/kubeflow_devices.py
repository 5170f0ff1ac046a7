"""The section `kubeflow.devices`: the machine that holds the devices, which pods reach by ssh."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from components.devices.remote.settings import HostName
from pipelines.config.faults import matching
from pipelines.config.section import Section

KEYS = "/etc/slimline-devices"
"""Below it pods of steps that measure on a device see the secret, in a folder of its name."""

_secret = matching(
    re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"),
    "the secret {!r} cannot be mounted: Kubeflow Pipelines calls the volume as the secret, and a "
    "volume takes 63 lower-case letters, digits and hyphens",
    "make a secret with such a name: kubectl create secret generic lab-ssh ...",
)


class DevicesHost(Section):
    """The machine that holds the devices: pods reach boards by way of it, phones by its adb."""

    host: HostName = Field(description="that machine, as pods name it: `lab.lan` or `user@lab.lan`")
    secret: Annotated[str, AfterValidator(_secret)] = Field(
        description="Kubernetes secret with the keys `ssh-privatekey`, `known_hosts` and, where "
        "ssh needs more to be told, `config`; pods that measure on a device alone see it"
    )
