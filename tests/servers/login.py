"""What stands before Kubeflow in tests: a proxy that lets through whom it knows, and Dex to log in.

It behaves as read in oauth2-proxy (``oauthproxy.go``: ``Proxy``, ``isAjax``, ``errorJSON``,
``SignInPage``) with the configuration of kubeflow/manifests, Istio's RequestAuthentication and, for
``redirects``, oidc-authservice before Kubeflow 1.9. Requests that it lets through really go to the
server behind it, with the header that names the user and without cookies.
"""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import time
from collections.abc import Callable, Mapping
from http.cookies import SimpleCookie
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from tests.servers.serving import Answer, Server

Unknown = Literal["json", "page", "redirects"]
COOKIE = "oauth2_proxy_kubeflow"
USER, PASSWORD = "user@example.com", "12341234"
_HTML = ("Content-Type", "text/html")


class LoginProxy(Server):
    """The proxy.

    Args:
        upstream: Address of what it protects.
        unknown: What a caller without a session gets: ``json`` is 401 with empty JSON, as below
            ``/apis/``; ``page`` is 403 with a page to sign in; ``redirects`` is 302 to Dex.
        renews: Each answer brings a new session, and the one before it ends.
    """

    def __init__(self, upstream: str, unknown: Unknown = "json", *, renews: bool = False) -> None:
        super().__init__()
        self.unknown: Unknown = unknown
        self.renews = renews
        self.sessions: set[str] = set()
        self.tokens: set[str] = set()
        self.users: list[str] = []
        """Who asked, for each request that was let through."""
        self._upstream = urlsplit(upstream)
        self._numbers = itertools.count(1)

    def log_in(self) -> str:
        """Log in as a browser does; returns the cookie, as its developer tools show it."""
        client = http.client.HTTPConnection(urlsplit(self.url).netloc)
        client.request("GET", "/oauth2/start?rd=/")
        form = client.getresponse()
        form.read()
        assert form.status == 302
        body = f"login={USER}&password={PASSWORD}"
        client.request("POST", form.headers["Location"], body)
        back = client.getresponse()
        back.read()
        assert back.status == 303, "the password is right"
        client.request("GET", back.headers["Location"])
        done = client.getresponse()
        done.read()
        client.close()
        return done.headers["Set-Cookie"].partition(";")[0]

    def expire(self) -> None:
        """End every session and every token, as time does."""
        self.sessions.clear()
        self.tokens.clear()

    def token(self, *, lasts_s: float = 3600.0, audience: str | None = None) -> str:
        """Issue a token, as ``kubectl create token`` or Dex's token endpoint would."""
        claims: dict[str, Any] = {
            "iss": "https://kubernetes.default.svc.cluster.local",
            "sub": "system:serviceaccount:team:default-editor",
            "aud": [audience or "https://kubernetes.default.svc.cluster.local"],
            "exp": int(time.time() + lasts_s),
            "jti": str(next(self._numbers)),
        }
        parts = [{"alg": "RS256", "typ": "JWT"}, claims, {"signature": "none"}]
        token = ".".join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
            for part in parts
        )
        self.tokens.add(token)
        return token

    def answer(
        self, method: str, target: str, headers: dict[str, str], read: Callable[[float], bytes]
    ) -> Answer:
        """See ``Server``."""
        body = read(1.0)
        parts = urlsplit(target)
        if parts.path in _PAGES:
            return _PAGES[parts.path](self, method, body, parse_qs(parts.query))
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if bearer:
            return self._with_token(bearer, method, target, headers, body)
        cookies = {
            name: morsel.value for name, morsel in SimpleCookie(headers.get("cookie", "")).items()
        }
        session = cookies.get(COOKIE, "")
        if session not in self.sessions:
            return self._refused(parts.path)
        renewed: tuple[tuple[str, str], ...] = ()
        if self.renews:
            self.sessions.discard(session)
            renewed = (self._session(),)
        return self._forward(USER, method, target, headers, body, renewed)

    def _refused(self, path: str) -> Answer:
        if self.unknown == "redirects":
            place = f"/dex/auth?client_id=authservice&redirect_uri=%2Flogin%2Foidc&state={path}"
            return Answer(302, b"<a href>Found</a>", (("Location", place), _HTML))
        if self.unknown == "page":
            page = b'<html><form method="GET" action="/oauth2/start">Sign in with Dex</form></html>'
            gone = ("Set-Cookie", f"{COOKIE}=; Path=/; Max-Age=0")
            return Answer(403, page, (_HTML, gone))
        return Answer(401, b"{}", (("Content-Type", "application/json"),))

    def _with_token(
        self, token: str, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """What Istio says of a token: it asks nobody but the issuer's keys."""
        if token.count(".") != 2:
            return _plain(401, "Jwt is not in the form of Header.Payload.Signature with two dots")
        middle = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
        if claims["exp"] <= time.time():
            return _plain(401, "Jwt is expired")
        if token not in self.tokens:
            return _plain(401, "Jwt verification fails")
        return self._forward(claims["sub"], method, target, headers, body)

    def _forward(
        self, user: str, method: str, target: str, headers: Mapping[str, str], body: bytes,
        renewed: tuple[tuple[str, str], ...] = (),
    ) -> Answer:  # fmt: skip
        self.users.append(user)
        client = http.client.HTTPConnection(self._upstream.hostname or "", self._upstream.port)
        kept = {name: value for name, value in headers.items() if name not in ("cookie", "host")}
        client.request(method, target, body or None, {**kept, "kubeflow-userid": user})
        got = client.getresponse()
        content = got.read()
        client.close()
        kind = ("Content-Type", got.headers.get("Content-Type", "text/plain"))
        return Answer(got.status, content, (kind, *renewed))

    def _session(self) -> tuple[str, str]:
        session = f"s{next(self._numbers)}-eyJ|1764200000|sig=="
        self.sessions.add(session)
        return "Set-Cookie", f"{COOKIE}={session}; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax"

    def _start(self, _method: str, _body: bytes, _query: Mapping[str, list[str]]) -> Answer:
        return Answer(302, b"", (("Location", "/dex/auth?client_id=kubeflow-oidc-authservice"),))

    def _dex(self, method: str, body: bytes, _query: Mapping[str, list[str]]) -> Answer:
        given = parse_qs(body.decode())
        if method != "POST" or given.get("login") != [USER] or given.get("password") != [PASSWORD]:
            return Answer(200, b'<form method="post"><input name="login"></form>', (_HTML,))
        return Answer(303, b"", (("Location", "/oauth2/callback?code=right"),))

    def _callback(self, _method: str, _body: bytes, query: Mapping[str, list[str]]) -> Answer:
        if query.get("code") != ["right"]:
            return _plain(403, "invalid code")
        return Answer(302, b"", (("Location", "/"), self._session()))

    def _token_endpoint(self, _method: str, body: bytes, _query: Mapping[str, list[str]]) -> Answer:
        """The password grant of Dex, which tests have a command ask for."""
        given = parse_qs(body.decode())
        if given.get("username") != [USER] or given.get("password") != [PASSWORD]:
            return Answer(
                401, b'{"error": "invalid_grant"}', (("Content-Type", "application/json"),)
            )
        return Answer.of({"id_token": self.token(), "token_type": "bearer"})


def _plain(status: int, text: str) -> Answer:
    return Answer(status, text.encode(), (("Content-Type", "text/plain"),))


_PAGES = {
    "/oauth2/start": LoginProxy._start,
    "/dex/auth": LoginProxy._dex,
    "/oauth2/callback": LoginProxy._callback,
    "/dex/token": LoginProxy._token_endpoint,
}
