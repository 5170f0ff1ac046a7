"""Settings of ``slimline serve``: what a file, or the command line, says of it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from components.contract.errors import UserError
from pipelines.config.faults import custom, fault_of
from pipelines.config.kubeflow_auth import Auth as ClusterAuth
from pipelines.config.loading import error_in
from pipelines.config.yaml_file import read
from pipelines.disk.names import absolute
from pipelines.engines.engine import Cluster

Role = Literal["read", "run", "promote"]
ROLES: tuple[Role, ...] = get_args(Role)
"""Each may do what those before it may."""
EVERYBODY = "*"

LOOPBACK = ("127.0.0.1", "::1", "localhost")

HOST = r"(?P<name>[a-z0-9_](?:[a-z0-9_.-]{0,253}[a-z0-9_])?|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?"
"""What a server is called by: a name or an address, and a port."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class CodeAuth(_Section):
    """Whoever has the code that the start prints may do everything: one person on one machine."""

    kind: Literal["code"] = "code"


class TokenAuth(_Section):
    """Whoever has a token of a file may do what stands beside it.

    Attributes:
        file: Lines of ``ROLE NAME TOKEN``; a token has at least 32 characters. Nobody else may be
            able to read it.
    """

    kind: Literal["token"]
    file: Path = Field(strict=False)


class ProxyAuth(_Section):
    """A proxy has asked who it is, and says so in a header.

    Attributes:
        header: The header's name.
        addresses: Networks that the proxy talks from; from elsewhere the header says nothing.
        roles: Who may do what, by name, ``*`` for everybody; a role may do what those before it
            may.
        tokens: Lines of ``ROLE NAME TOKEN`` for programs that do not come through the proxy, such
            as Prometheus.
        key: Holds a secret that services behind one name share, so that a form that one of them
            made is taken by all.
    """

    kind: Literal["proxy"]
    header: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]*$")] = "kubeflow-userid"
    addresses: tuple[str, ...] = Field(min_length=1, strict=False)
    roles: Mapping[Role, Annotated[tuple[str, ...], Field(strict=False)]] = Field(
        default_factory=lambda: {"read": (EVERYBODY,)}
    )
    tokens: Path | None = Field(default=None, strict=False)
    key: Path | None = Field(default=None, strict=False)

    @field_validator("addresses")
    @classmethod
    def _check_addresses(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        for address in addresses:
            try:
                ipaddress.ip_network(address)
            except ValueError as error:
                raise custom(f"{address}: {error}", "write networks like 10.0.0.0/8") from None
        return addresses


class KubeflowSettings(_Section):
    """The cluster whose runs are imported every five minutes.

    Attributes:
        host: Address of Kubeflow Pipelines; None is the environment's.
        namespace: The user's, where there are several users.
        auth: What says who asks, as in a configuration.
    """

    host: str | None = None
    namespace: str | None = None
    auth: ClusterAuth | None = None

    @property
    def cluster(self) -> Cluster:
        """The same for an engine."""
        return Cluster(self.host, self.namespace, self.auth)


Auth = Annotated[CodeAuth | TokenAuth | ProxyAuth, Field(discriminator="kind")]


class ServeSettings(_Section):
    """How pages are served.

    Attributes:
        store: Where runs are kept.
        address: Which address of this machine listens.
        port: Which port; 0 takes a free one.
        hosts: Names that browsers may call this server by, beside those of this machine itself.
        auth: How it is told who asks.
        configs: Configurations that pages may start.
        notify: A command that is told of what people may want to know; its words.
        at_once: So many launches of triggers may go on at a time.
        triggers: Whether triggers are evaluated here.
        read_only: Nothing can be changed through pages, and nothing is started.
        https: A proxy encrypts what browsers send and get: cookies are sent in no other way.
        kubeflow: A cluster whose runs are imported, and where pages start runs.
    """

    store: str = "./slimline-store"
    address: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    hosts: tuple[str, ...] = Field(default=(), strict=False)
    auth: Auth = CodeAuth()
    configs: tuple[Path, ...] = Field(default=(), strict=False)
    notify: tuple[str, ...] = Field(default=(), strict=False)
    at_once: Annotated[int, Field(ge=1)] = 1
    triggers: bool = True
    read_only: bool = False
    https: bool = False
    kubeflow: KubeflowSettings | None = None

    @property
    def engine(self) -> Literal["local", "kubeflow"]:
        """Which engine carries out what pages start."""
        return "kubeflow" if self.kubeflow else "local"

    @property
    def cluster(self) -> Cluster | None:
        """Where, for an engine that is not of this machine."""
        return self.kubeflow.cluster if self.kubeflow else None

    @field_validator("hosts")
    @classmethod
    def _check_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if not re.fullmatch(HOST, host, re.IGNORECASE):
                raise custom(
                    f"{host!r} is no name of a server",
                    "write names as browsers show them, without https:// and path, such as "
                    "pipelines.example.com",
                )
        return hosts

    @field_validator("address")
    @classmethod
    def _check_address(cls, address: str) -> str:
        if address != "localhost":
            try:
                ipaddress.ip_address(address)
            except ValueError:
                raise custom(
                    f"{address!r} is no address of a machine",
                    "write one such as 127.0.0.1, or 0.0.0.0 for all that this machine has",
                ) from None
        return address

    def given(self, update: Mapping[str, object]) -> ServeSettings:
        """Return the settings with what the command line says, checked.

        Raises:
            UserError: It is nothing that can be served.
        """
        try:
            settings = ServeSettings.model_validate({**dict(self), **update})
        except ValidationError as error:
            _, what, fix = fault_of(error.errors()[0])
            raise UserError(what, fix) from None
        return settings.checked()

    def checked(self) -> ServeSettings:
        """Refuse what must not be combined.

        Raises:
            UserError: Other machines could connect, and nothing tells who asks.
        """
        if self.address not in LOOPBACK and self.auth.kind == "code":
            raise UserError(
                f"address: {self.address} lets other machines connect, and one code is for one "
                "person on this machine",
                "write auth: {kind: token, file: tokens.txt} or auth: {kind: proxy, addresses: "
                "[10.0.0.0/8]} into the settings, or leave address out",
            )
        return self


def load_settings(path: Path | None) -> ServeSettings:
    """Read settings; paths in them are relative to the folder of the file.

    Args:
        path: A YAML file; None is what holds without one.

    Raises:
        UserError: Anything that cannot be right, with its line.
    """
    if path is None:
        return ServeSettings()
    document = read(path)
    try:
        settings = ServeSettings.model_validate(document.value)
    except ValidationError as error:
        raise error_in(document, fault_of(error.errors()[0])) from None
    return _placed(settings, absolute(path).parent)


def _placed(settings: ServeSettings, folder: Path) -> ServeSettings:
    """Make the paths absolute."""
    placed: dict[str, object] = {
        "configs": tuple(folder / one for one in settings.configs),
        "store": settings.store if "://" in settings.store else str(folder / settings.store),
    }
    auth = settings.auth
    if isinstance(auth, TokenAuth):
        placed["auth"] = auth.model_copy(update={"file": folder / auth.file.expanduser()})
    elif isinstance(auth, ProxyAuth):
        files = {"tokens": auth.tokens, "key": auth.key}
        update = {key: folder / path.expanduser() for key, path in files.items() if path}
        placed["auth"] = auth.model_copy(update=update)
    return settings.model_copy(update=placed)
