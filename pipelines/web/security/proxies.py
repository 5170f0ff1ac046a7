"""People whom a proxy has asked who they are: it says so in a header, which only it may send."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import time
from collections.abc import Callable, Mapping
from typing import cast

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from pipelines.web.security.secret_files import TokenFile
from pipelines.web.security.sessions import RefusedError, Session
from pipelines.web.security.tokens import bearer
from pipelines.web.security.viewer import Viewer
from pipelines.web.settings import EVERYBODY, ROLES, ProxyAuth, Role

WINDOW_S = 12 * 3600
"""What a form has to send along is another one after so long; the one before is taken too."""

_NAME_MAX = 200


class ProxyWay:
    """A way in by a proxy. It has no session here: what forms send along is made of who asks.

    Args:
        auth: Which header, from where, and who may do what.
        key: What forms send along is made with it; several services behind one name share it.
        tokens: Of programs that do not come through the proxy.
        clock: Seconds since 1970.
    """

    asks_token = False
    cookie = None

    def __init__(
        self,
        auth: ProxyAuth,
        key: str,
        tokens: TokenFile | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._header = auth.header
        self._networks = [ipaddress.ip_network(network) for network in auth.addresses]
        self._roles = auth.roles
        self._key = key
        self._tokens = tokens
        self._clock = clock

    def session(self, scope: Scope) -> Session:
        """See ``WayIn``. Where the proxy says who asks, a token beside that is its own."""
        says = self._is_proxy(scope) and self._header in Headers(scope=scope)
        if self._tokens and not says and (found := bearer(scope, self._tokens)):
            return found
        name = self._name(scope)
        role = self._role(name)
        if role is None:
            raise RefusedError(
                403, f"{name} may not see this server", "ask its owner to name you under roles:"
            )
        return Session(Viewer(name, role), self._csrf(name))

    def _name(self, scope: Scope) -> str:
        given = Headers(scope=scope).getlist(self._header)
        asks = "open this server through its proxy, which asks who you are"
        if not self._is_proxy(scope):
            raise RefusedError(403, "this server is asked through its proxy alone", asks)
        if not given:
            raise RefusedError(401, f"the proxy sent no header {self._header}", asks)
        name = given[0].strip()
        if len(given) > 1 or not name or not name.isprintable() or len(name) > _NAME_MAX:
            raise RefusedError(
                403, f"the header {self._header} says nothing that can be right",
                "have the proxy remove what others sent under this name, and set it once",
            )  # fmt: skip
        return name

    def _is_proxy(self, scope: Scope) -> bool:
        """Whether the other end of the connection is it; what headers say of that is not asked."""
        client = cast("tuple[str, int] | None", scope.get("client"))
        try:
            address = ipaddress.ip_address(client[0] if client else "")
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._networks)

    def _role(self, name: str) -> Role | None:
        for role in reversed(ROLES):
            if {name, EVERYBODY}.intersection(self._roles.get(role, ())):
                return role
        return None

    def _csrf(self, name: str) -> tuple[str, str]:
        window = int(self._clock() // WINDOW_S)
        texts = (f"form {window} {name}", f"form {window - 1} {name}")
        now, before = (
            hmac.new(self._key.encode(), text.encode(), hashlib.sha256).hexdigest()
            for text in texts
        )
        return now, before

    def enter(self, scope: Scope, fields: Mapping[str, str]) -> Response:  # noqa: ARG002 no way in
        """See ``WayIn``."""
        raise RefusedError(403, "nobody signs in here: the proxy says who asks", "open the page /")

    def leave(self, scope: Scope) -> None:
        """See ``WayIn``: there is nothing to forget."""
