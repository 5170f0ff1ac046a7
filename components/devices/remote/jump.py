"""Jump: the machine that holds the devices, by way of which they are reached from elsewhere.

A pod has no settings of a user: its key and the hosts that it knows lie in a folder that a secret
is mounted as. Whoever asks from a machine of their own goes the same way with their own settings.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from components.contract.errors import UserError
from components.devices.remote.known_faults import KnownFault

HOST_VARIABLE = "SLIMLINE_DEVICES_HOST"
"""Names the machine that holds the devices; only pods have it."""
KEYS_VARIABLE = "SLIMLINE_DEVICES_KEYS"
"""Names the folder with the files of the secret; its last part is the secret's name."""

PRIVATE_KEY, KNOWN_HOSTS, CONFIG = "ssh-privatekey", "known_hosts", "config"
"""Keys of the secret. The last one may be missing: settings for ssh, such as users and ports."""

_OWNER_ALONE = 0o600
_SAID = "way"  # the file with what ssh says on the way to the machine


@dataclass(frozen=True)
class Jump:
    """How devices are reached that only another machine reaches.

    Attributes:
        host: That machine, as ``ssh`` is given it.
        keys: Folder with the files of a secret; None: the settings of whoever runs this.
    """

    host: str
    keys: Path | None = None

    @classmethod
    def of_pod(cls) -> Self | None:
        """Return the way from this pod; None where nothing says that there is one."""
        host, keys = os.environ.get(HOST_VARIABLE), os.environ.get(KEYS_VARIABLE)
        return cls(host, Path(keys)) if host and keys else None

    @property
    def secret(self) -> str:
        """What the secret is called."""
        return self.keys.name if self.keys else ""

    def words(self, host: str, folder: Path, alive_s: int) -> list[str]:
        """Return the arguments of ssh that lead to a host this way.

        Args:
            host: Where to; the machine that holds the devices is reached at once.
            folder: Its own: for what ssh says on the way, and for a copy of the key, as ssh takes
                none that others may read.
            alive_s: As of ``SshConnection``, for the way to the machine.

        Raises:
            UserError: The secret lacks something.
        """
        settings = ["-F", str(self._settings(folder))] if self.keys else []
        if _machine(host) == _machine(self.host):
            return settings
        options = {
            "BatchMode": "yes", "ConnectTimeout": 2 * alive_s, "ServerAliveInterval": alive_s,
            "ServerAliveCountMax": 3, "ForwardAgent": "no", "RemoteCommand": "none",
            "RequestTTY": "no", "LogLevel": "INFO",
        }  # fmt: skip
        given = [word for name in options for word in ("-o", f"{name}={options[name]}")]
        leg = shlex.join(["ssh", *settings, *given]).replace("%", "%%")
        # Not as ProxyJump: ssh throws away what that says where a connection is kept for others.
        said = shlex.quote(str(folder / _SAID)).replace("%", "%%")
        way = f"{leg} -W '[%h]:%p' -- {shlex.quote(self.host)} 2>{said}"
        return [*settings, "-o", f"ProxyCommand={way}"]

    def said(self, folder: Path) -> str:
        """Return what ssh said on the way to the machine; of a way that works, mostly nothing.

        Args:
            folder: As of ``words``.
        """
        try:
            return (folder / _SAID).read_text(errors="replace")
        except OSError:
            return ""

    def _settings(self, folder: Path) -> Path:
        """Write settings for ssh that know the secret alone."""
        assert self.keys is not None
        for name in (PRIVATE_KEY, KNOWN_HOSTS):
            if not (self.keys / name).is_file():
                raise UserError(
                    f"the secret {self.secret} has no key {name}, which ssh needs to reach "
                    f"{self.host} from a pod",
                    making(self.secret),
                )
        key = folder / "key"
        key.touch(_OWNER_ALONE)
        key.write_bytes(self.keys.joinpath(PRIVATE_KEY).read_bytes().rstrip(b"\n") + b"\n")
        own = self.keys / CONFIG
        lines = [
            *([f"Include {own}"] if own.is_file() else []),
            "Host *",
            f"  IdentityFile {key}",
            "  IdentitiesOnly yes",
            "  IdentityAgent none",
            f"  UserKnownHostsFile {self.keys / KNOWN_HOSTS}",
            "  GlobalKnownHostsFile none",
            "  StrictHostKeyChecking yes",
        ]
        path = folder / "config"
        path.write_text("\n".join(lines) + "\n")
        return path

    def fault(self, name: str, host: str, err: str) -> UserError | None:
        """Return what is wrong on the way, if ssh says something that is known.

        Args:
            name: Of the device.
            host: Where the connection was to lead.
            err: What ssh said.
        """
        if self.keys is None:
            return None
        for known in _FAULTS:
            if found := re.search(known.sentence, err, re.MULTILINE):
                words = {
                    "name": name, "host": host, "jump": self.host, "secret": self.secret,
                    "said": found[0].strip(), "making": making(self.secret),
                    **{key: value or host for key, value in found.groupdict().items()},
                }  # fmt: skip
                return UserError(known.what.format(**words), known.fix.format(**words))
        return None


def making(secret: str) -> str:
    """Return the command that makes the secret, or makes it anew."""
    return (
        f"kubectl create secret generic {secret} --from-file={PRIVATE_KEY}=KEY "
        f"--from-file={KNOWN_HOSTS}=FILE --dry-run=client -o yaml | kubectl apply -f -"
    )


def _machine(host: str) -> str:
    return host.rpartition("@")[2]


_LEARNING = (
    "compare what `ssh-keyscan {unknown}` prints with what {unknown} itself says, add that line to "
    "FILE, then: {making}"
)
_FAULTS = (
    KnownFault(
        r"^No (\S+ )?host key is known for \[?(?P<unknown>[^\]\s]+)\]?.*$",
        "the host key of {unknown} is not known to the pod: known_hosts of the secret {secret} has "
        "no line for it",
        _LEARNING,
    ),
    KnownFault(
        r"^Host key for \[?(?P<unknown>[^\]\s]+)\]?(:\d+)? has changed.*$",
        "{unknown} shows another host key than known_hosts of the secret {secret} has",
        f"if it was set up anew, put its new key there: {_LEARNING}",
    ),
    KnownFault(
        r'^Load key "[^"]*": .*$',
        "ssh cannot read the private key of the secret {secret}: {said}",
        "give it a key without a passphrase, such as one of `ssh-keygen -t ed25519 -N '' -f KEY`: "
        "{making}",
    ),
    KnownFault(
        r"^(?P<there>\S+): Permission denied \(.*$|Too many authentication failures",
        "{there} refuses the key of the secret {secret}: {said}",
        "add what `ssh-keygen -y -f KEY` prints to ~/.ssh/authorized_keys there, or name its user: "
        "host: USER@HOST",
    ),
    KnownFault(
        r"^.*administratively prohibited.*$",
        "{jump} lets nobody through to {host}: {said}",
        "set AllowTcpForwarding yes in /etc/ssh/sshd_config of {jump}",
    ),
    KnownFault(
        r"^channel \d+: open failed: .*$",
        "{name} is not reached from {jump}: {said}",
        "switch it on, and make `ssh -o BatchMode=yes {host} true` work on {jump}",
    ),
    KnownFault(
        r"^.*Could not resolve hostname.*$|^ssh: connect to host .*$",
        "pods do not reach {jump}, the machine that holds the devices: {said}",
        "set kubeflow.devices.host to a name and address that pods reach, and let network policies "
        "pass it",
    ),
    KnownFault(
        r"^No user exists for uid.*$|^.*Bad owner or permissions.*$|^.*onfiguration option.*$",
        "ssh does not read its settings in the pod: {said}",
        "correct config in the secret {secret}: {making} with --from-file=config=FILE",
    ),
)
"""Sentences of ssh, what they mean where a secret has the keys, and what puts it right."""
