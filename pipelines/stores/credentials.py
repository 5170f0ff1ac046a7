"""What this machine shows Google Cloud, and whom it trusts: credentials and certificates.

The client libraries read both from files that variables name, and let the errors of these files
through as they come.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import google.auth
from google.auth import exceptions as auth

from components.contract.errors import UserError

_CREDENTIALS = "GOOGLE_APPLICATION_CREDENTIALS"
_LOGIN = "gcloud auth application-default login"
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""As the library ``requests`` looks for them: the first that is set counts."""


def find_credentials(place: str, scopes: Sequence[str]) -> Any:
    """Return the credentials of this machine.

    Args:
        place: What is to be reached, named when something is amiss.
        scopes: What they are to be good for.

    Raises:
        UserError: There are none, or their file cannot be used.
    """
    try:
        return cast("Any", google.auth).default(scopes=scopes)[0]
    # The last: JSON that is a list, for example, which the library does not expect.
    except (auth.DefaultCredentialsError, OSError, AttributeError) as error:
        reason = str(error)
        if isinstance(error, auth.GoogleAuthError) and error.args:
            reason = str(error.args[0])  # the others are errors that it wraps
        if named := os.environ.get(_CREDENTIALS):
            raise UserError(
                f"{place}: {_CREDENTIALS} names {named}, which cannot be used: {reason}; expected "
                "the JSON file of a service account's key or of a login",
                f"correct the path or the file, or: unset {_CREDENTIALS}, then {_LOGIN}",
            ) from error
        raise UserError(
            f"{place}: this machine has no Google Cloud credentials that can be used: {reason}",
            f"{_LOGIN}, or set {_CREDENTIALS} to the file of a service account's key",
        ) from error


def check_certificates() -> None:
    """Make sure that the certificates which the environment names can be read.

    Raises:
        UserError: They cannot, or there are none in that file.
    """
    variable = next((name for name in _BUNDLES if os.environ.get(name)), None)
    if variable is None:
        return
    named = os.environ[variable]
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if Path(named).is_dir():
            context.load_verify_locations(capath=named)
        else:
            context.load_verify_locations(cafile=named)
    except OSError as error:
        raise UserError(
            f"{variable} names {named}, from which no certificates can be read: "
            f"{error.strerror or error}",
            f"give it the path of a PEM file that this user may read, or: unset {variable}",
        ) from error
