"""Settings of ``slimline serve``: what a file, or the command line, says of it."""

from __future__ import annotations

import ipaddress
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from components.contract.errors import UserError, suggest
from pipelines.config.faults import Fault, custom, error_in, fault_of, matching
from pipelines.config.kubeflow_auth import Auth as ClusterAuth
from pipelines.config.section import Section, as_tuple
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

MAKE_TOKEN = "python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"  # noqa: S105
_LINE = f'echo "promote $(id -un) $({MAKE_TOKEN})"'
_EXAMPLES: Mapping[str, str] = {
    "store": "./slimline-store", "port": "8080", "at_once": "1", "triggers": "true",
    "read_only": "false", "https": "false", "prefix": "/slimline", "kubeflow": "{host: https://kubeflow.example.com}",
}  # fmt: skip
_AUTH = "auth: {kind: token, file: tokens.txt} or auth: {kind: proxy, addresses: [10.0.0.0/8]}"


def _listed(example: str) -> BeforeValidator:
    """Return what takes a list of texts; another value is refused with an example."""

    def listed(value: object) -> object:
        taken = as_tuple(value)
        if not isinstance(taken, tuple) or not all(
            isinstance(one, str) for one in cast("tuple[object, ...]", taken)
        ):
            raise custom(f"{value!r} is no list of texts", f"write {example}")
        return cast("object", taken)

    return BeforeValidator(listed)


def _path(value: object) -> object:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value:
        raise custom(f"{value!r} names no file", "write a path; relative ones begin here")
    return Path(value).expanduser()


_File = Annotated[Path, BeforeValidator(_path)]
_NETWORKS = "addresses: [10.0.0.0/8]"


def _network(value: str) -> str:
    try:
        ipaddress.ip_network(value)
    except ValueError as error:
        raise custom(f"{error}", f"write networks such as {_NETWORKS}") from None
    return value


def _address(value: str) -> str:
    if value != "localhost":
        try:
            ipaddress.ip_address(value)
        except ValueError:
            raise custom(
                f"{value!r} is no address of a machine",
                "write one such as address: 127.0.0.1, or 0.0.0.0 for all that this machine has",
            ) from None
    return value


_host = matching(
    re.compile(HOST, re.IGNORECASE),
    "{!r} is no name of a server",
    "write names as browsers show them, without https:// and path: hosts: [pipelines.example.com]",
)
_prefix = matching(
    re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*"),
    "{!r} is nothing that addresses could begin with",
    "write the path without the last slash: prefix: /slimline, or leave it out",
)
_header = matching(
    re.compile(r"[A-Za-z][A-Za-z0-9-]{0,99}"),
    "{!r} is no name of a header",
    "write a name such as header: kubeflow-userid",
)


class CodeAuth(Section):
    """Whoever has a link that the start prints may do everything: one person on one machine."""

    kind: Literal["code"] = "code"


class TokenAuth(Section):
    """Whoever has a token of a file may do what stands beside it.

    Attributes:
        file: Lines of ``ROLE NAME TOKEN``; a token has at least 32 characters. Nobody else may be
            able to read it.
    """

    kind: Literal["token"] = "token"
    file: _File


class ProxyAuth(Section):
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

    kind: Literal["proxy"] = "proxy"
    header: Annotated[str, AfterValidator(_header)] = "kubeflow-userid"
    addresses: Annotated[
        tuple[Annotated[str, AfterValidator(_network)], ...],
        _listed(_NETWORKS),
        Field(min_length=1),
    ]
    roles: Mapping[Role, Annotated[tuple[str, ...], _listed("roles: {read: ['*']}")]] = Field(
        default_factory=lambda: {"read": (EVERYBODY,)}
    )
    tokens: _File | None = None
    key: _File | None = None


class KubeflowSettings(Section):
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


_KINDS: Mapping[str, type[CodeAuth | TokenAuth | ProxyAuth]] = {
    "code": CodeAuth,
    "token": TokenAuth,
    "proxy": ProxyAuth,
}


def _auth(value: object) -> object:
    """Say of an ``auth`` of no kind which there are."""
    if isinstance(value, Section):
        return value
    kind = cast("dict[str, object]", value).get("kind") if isinstance(value, dict) else None
    if kind is None:
        raise custom("it says of no kind how people show who they are", f"write {_AUTH}")
    if kind not in _KINDS:
        raise custom(f"there is no kind {kind!r}", suggest(str(kind), _KINDS), key="kind")
    return cast("object", value)


Auth = Annotated[
    Annotated[CodeAuth | TokenAuth | ProxyAuth, Field(discriminator="kind")], BeforeValidator(_auth)
]


class ServeSettings(Section):
    """How pages are served.

    Attributes:
        store: Where runs are kept.
        address: Which address of this machine listens.
        port: Which port; 0 takes a free one.
        hosts: Names that browsers may call this server by, beside those of this machine itself;
            one with a port only at that port.
        auth: How it is told who asks.
        configs: Configurations that pages may start.
        notify: A command that is told of what people may want to know; its words.
        at_once: So many launches of triggers may go on at a time.
        triggers: Whether triggers are evaluated here.
        read_only: Nothing can be changed through pages, and nothing is started.
        prefix: What all addresses begin with, where a proxy has others beside them.
        https: A proxy encrypts what browsers send and get: cookies are sent in no other way.
        kubeflow: A cluster whose runs are imported, and where pages start runs.
    """

    store: str = "./slimline-store"
    address: Annotated[str, AfterValidator(_address)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    hosts: Annotated[
        tuple[Annotated[str, AfterValidator(_host)], ...], _listed("hosts: [pipelines.example.com]")
    ] = ()
    auth: Auth = CodeAuth()
    configs: Annotated[tuple[_File, ...], _listed("configs: [faces.yaml]")] = ()
    notify: Annotated[tuple[str, ...], _listed("notify: [./tell, --team, faces]")] = ()
    at_once: Annotated[int, Field(ge=1)] = 1
    triggers: bool = True
    read_only: bool = False
    https: bool = False
    prefix: Annotated[str, AfterValidator(_prefix)] = ""
    kubeflow: KubeflowSettings | None = None

    @property
    def engine(self) -> Literal["local", "kubeflow"]:
        """Which engine carries out what pages start."""
        return "kubeflow" if self.kubeflow else "local"

    @property
    def cluster(self) -> Cluster | None:
        """Where, for an engine that is not of this machine."""
        return self.kubeflow.cluster if self.kubeflow else None

    def given(self, update: Mapping[str, Any]) -> ServeSettings:
        """Return the settings with what the command line says.

        Raises:
            UserError: It is nothing that can be served.
        """
        if not 0 <= update.get("port", 0) <= 65535:
            raise UserError(f"there is no port {update['port']}", "give another one: --port 8080")
        return self.model_copy(update=dict(update))


def load_settings(path: Path | None) -> ServeSettings:
    """Read settings; paths in them are relative to the folder of the file.

    Args:
        path: A YAML file; None is what holds without one.

    Raises:
        UserError: Anything that cannot be right, with its line.
    """
    if path is None:
        return ServeSettings()
    if not path.is_file():
        raise UserError(f"there is no file {path}", "its keys stand in docs/service.md, Settings")
    document = read(path, "begin with a line such as `port: 8080`, or leave --settings out")
    try:
        settings = ServeSettings.model_validate(document.value)
    except ValidationError as error:
        raise error_in(document, _worded(fault_of(error.errors()[0], _EXAMPLES))) from None
    placed = _placed(settings, absolute(path).parent)
    for fault in _faults(placed):
        raise error_in(document, fault)
    return placed


def _worded(fault: Fault) -> Fault:
    """Leave out what is no key of the file."""
    location, what, fix = fault
    if found := re.match(rf"auth\.({'|'.join(_KINDS)})(?=[.:])", what):
        location = tuple(part for part in location if part not in _KINDS)
        what = what.replace(found[0], "auth", 1)
        fix = f"write {_NETWORKS}" if location[-1:] == ("addresses",) else fix
    return location, what, fix


def _placed(settings: ServeSettings, folder: Path) -> ServeSettings:
    """Make the paths absolute."""
    placed: dict[str, object] = {
        "configs": tuple(folder / one for one in settings.configs),
        "store": settings.store if "://" in settings.store else str(folder / settings.store),
    }
    auth = settings.auth
    files = {name: getattr(auth, name, None) for name in ("file", "tokens", "key")}
    update = {name: folder / file for name, file in files.items() if file}
    placed["auth"] = auth.model_copy(update=update)
    if settings.notify and "/" in (program := settings.notify[0]):
        placed["notify"] = (str(folder / Path(program).expanduser()), *settings.notify[1:])
    return settings.model_copy(update=placed)


def _faults(settings: ServeSettings) -> Iterator[Fault]:
    """Yield what no part of the settings is at fault for by itself."""
    auth = settings.auth
    if settings.address not in LOOPBACK and auth.kind == "code":
        what = (
            f"address: {settings.address} lets other machines connect, and a link with a code is "
            "for one person on this machine"
        )
        yield ("address",), what, f"write {_AUTH}, or leave address out"
    for name, begin in (("file", _LINE), ("tokens", _LINE), ("key", MAKE_TOKEN)):
        file = getattr(auth, name, None)
        if file and not file.is_file():
            fix = f"make it with: (umask 077; {begin} > {shlex.quote(str(file))})"
            yield ("auth", name), f"auth.{name}: there is no file {file}", fix
    for number, config in enumerate(settings.configs):
        if not config.is_file():
            what = f"configs[{number}]: there is no file {config}"
            yield ("configs", number), what, f"write one with: slimline init {config}"
    if settings.notify and not shutil.which(settings.notify[0]):
        what = f"notify: there is no program {settings.notify[0]}"
        yield ("notify",), what, "write the path of one that may be executed"
