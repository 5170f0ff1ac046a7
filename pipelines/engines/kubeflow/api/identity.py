"""What is sent with each request so that a server, or the proxy before it, knows who asks."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from components.contract.errors import UserError
from pipelines.config.kubeflow_auth import Auth
from pipelines.engines.kubeflow.api.token_command import TokenCommand, claims_of

TOKEN_PATH = "KF_PIPELINES_SA_TOKEN_PATH"  # noqa: S105 the name of a variable
"""The variable that names a file with a bearer token, as for the SDK of Kubeflow."""

POD_TOKEN = Path("/var/run/secrets/kubeflow/pipelines/token")
"""Where the token of its service account is projected into a pod, as for the SDK of Kubeflow."""

Source = Literal["nothing", "variable", "pod", "file", "command", "google"]

_INVERSE_PROXY = re.compile(r"\S+\.googleusercontent\.com")
_TOKEN = re.compile(r"[\x21-\x7e]+")
_COOKIE = re.compile(r"([!#$%&'*+.^_`|~\w-]+)=([\x21\x23-\x2b\x2d-\x3a\x3c-\x7e]*)", re.ASCII)
_GOOGLE_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)


class Identity:
    """Who asks, in each request anew: a token or cookies, from a file, a command or Google.

    Args:
        host: Address of the server.
        auth: The user's settings; None takes what ``KF_PIPELINES_SA_TOKEN_PATH`` names, what is
            projected into a pod, or, for a host of Google's inverting proxy, Google's.
    """

    def __init__(self, host: str, auth: Auth | None = None) -> None:
        self._host = host
        self.sends: Literal["token", "cookie"] = auth.sends if auth else "token"
        self.source, self.path = _source(host, auth)
        self._command = TokenCommand(auth.command) if auth and auth.command else None
        self._google: Any = None
        self._sent = ""
        self._written: str | None = None
        self._cookies: dict[str, str] = {}

    def __str__(self) -> str:
        """Name what is sent, without showing it."""
        if self.source == "nothing":
            return "no token"
        what = "the cookies" if self.sends == "cookie" else "the token"
        if self.source == "google":
            return "the token of your Google credentials"
        if self.source == "command":
            return f"{what} that {self._command} printed{self._about()}"
        return f"{what} in {self.path}{self._about()}"

    @property
    def in_pod(self) -> bool:
        """Whether this process runs in a pod."""
        return bool(os.environ.get("KUBERNETES_SERVICE_HOST"))

    def apply(self, client: Any) -> None:
        """Have a generated client send it with its next request.

        It is read anew each time: what projects it into pods, or the user, replaces it.

        Raises:
            UserError: It cannot be had.
        """
        if self.source == "nothing":
            return
        text = self._text()
        if self.sends == "token":
            if not _TOKEN.fullmatch(text):
                raise UserError(
                    f"{self._place()} is no token: expected one word without spaces",
                    f"write the token alone{self._into()}, or say sends: cookie where it is one",
                )
            client.default_headers["authorization"] = f"Bearer {text}"
        else:
            if text != self._written:  # the user's newer ones replace what the proxy renewed
                self._written, self._cookies = text, _cookies(text, self._place(), self._into())
            client.cookie = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        self._sent = text

    def renew(self) -> bool:
        """Forget a token that the server refused; True where another one can be had."""
        if self._command is None:
            return False
        self._command.forget()
        return True

    def take(self, response: Any) -> None:
        """Take the cookies that a proxy renewed with its answer.

        A session whose provider rotates its refresh tokens ends where the old cookie goes on.
        """
        if self.sends != "cookie" or response is None:
            return
        headers = response.urllib3_response.headers
        for line in headers.getlist("Set-Cookie"):
            try:
                morsels = SimpleCookie(line)
            except CookieError:
                continue  # none of ours: those were read by the same rules
            for name, morsel in morsels.items():
                if any(name.startswith(own.rstrip("_0123456789")) for own in self._cookies):
                    self._cookies[name] = morsel.value

    def _text(self) -> str:
        if self._command:
            return self._command.read()
        if self.source == "google":
            return self._google_token()
        if self.path is None:
            return ""
        try:
            return self.path.read_text().strip()
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            where = {
                "variable": f"correct {TOKEN_PATH}",
                "pod": f"mount it, or name another with {TOKEN_PATH}",
            }
            raise UserError(
                f"the {self.sends} file {self.path} cannot be read: {reason}",
                where.get(
                    self.source,
                    "correct the path of the file: kubeflow: {auth: {file}}, or --cookie-file",
                ),
            ) from error

    def _google_token(self) -> str:
        from google.auth.transport.requests import Request

        from pipelines.stores.credentials import check_certificates, find_credentials
        from pipelines.stores.faults import cloud_faults

        with cloud_faults(self._host):
            if self._google is None:
                check_certificates()
                self._google = find_credentials(self._host, _GOOGLE_SCOPES)
            if not self._google.valid:
                self._google.refresh(Request())
        return self._google.token

    def _place(self) -> str:
        return f"what {self._command} prints" if self._command else f"what {self.path} holds"

    def _into(self) -> str:
        return "" if self._command else f" into {self.path}"

    def _about(self) -> str:
        """Return what a token says of itself, as it helps to find out why it is refused."""
        if self.sends == "cookie":
            return ""
        claims = claims_of(self._sent)
        audience: Any = claims.get("aud") or ()
        audiences = (audience,) if isinstance(audience, str) else audience
        parts = [
            f"of {claims['sub']}" if "sub" in claims else "",
            f"for {', '.join(audiences)}" if audiences else "",
            _ends(claims.get("exp")),
        ]
        said = ", ".join(part for part in parts if part)
        return f" ({said})" if said else ""


def _ends(moment: object) -> str:
    if not isinstance(moment, int | float):
        return ""
    when = datetime.fromtimestamp(moment, UTC)
    verb = "it ended" if when <= datetime.now(UTC) else "good until"
    return f"{verb} {when:%Y-%m-%d %H:%M} UTC"


def _source(host: str, auth: Auth | None) -> tuple[Source, Path | None]:
    if auth and auth.command:
        return "command", None
    if auth and auth.file:
        return "file", Path(auth.file).expanduser()
    if named := os.environ.get(TOKEN_PATH):
        return "variable", Path(named)
    if POD_TOKEN.exists():
        return "pod", POD_TOKEN
    if _INVERSE_PROXY.fullmatch(urlsplit(host).netloc):
        return "google", None
    return "nothing", None


def _cookies(text: str, place: str, into: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in text.split(";"):
        matched = _COOKIE.fullmatch(part.strip())
        if matched is None:
            raise UserError(
                f"{place} is no list of cookies: expected NAME=VALUE, several with ; between them",
                f"copy name and value of each cookie of the session from the browser's developer "
                f"tools{into}, such as oauth2_proxy_kubeflow=...",
            )
        found[matched[1]] = matched[2]
    return found
