"""What a step may know of the user that has to reach a device from here.

Steps know nothing of who runs them, so that their results hang on nothing but their inputs. One
that measures on a device needs the user's keys and settings to get there; what it measures hangs on
the device alone, whose fingerprint is in its key. A browser counts as such a device, too.
"""

from __future__ import annotations

import os
import re

from pipelines.runs.graph import Step

_NAMES = re.compile(
    r"HOME|USER|LOGNAME|XDG_(CACHE_HOME|CONFIG_HOME|RUNTIME_DIR)"
    r"|SSH_(AUTH_SOCK|AGENT_PID)|(ADB|ANDROID|PIP|NPM_CONFIG)_\w+|SLIMLINE_DEBIAN_MIRRORS"
    r"|(https?|all|no)_proxy|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE",
    re.IGNORECASE,
)


def users_environment(step: Step) -> dict[str, str]:
    """Return what a step is told of the environment of whoever runs it."""
    if not step.with_users_programs:
        return {}
    return {name: value for name, value in os.environ.items() if _NAMES.fullmatch(name)}
