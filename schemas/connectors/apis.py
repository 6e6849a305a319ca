"""Settings of a CRM's own API, which look-ups, back-fill and reconciliation ask: what all kinds have in common.

Owns the address. Asks nothing. Secrets in it are never shown: pydantic hides them.
"""

from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from schemas.documents.errors import wrong
from schemas.documents.values import Model


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment or port == 0:
        msg = "must be an address such as https://acme.my.salesforce.com"
        raise wrong(msg)
    if parts.username is not None or parts.password is not None:
        msg = "must hold no user and password"
        raise wrong(msg)
    if parts.path.strip("/"):
        msg = "must be scheme, host and port alone: the vendor's path is appended"
        raise wrong(msg)
    if parts.scheme == "http" and not _is_loopback(host):
        msg = "must begin with https:// (http:// is for this machine alone)"
        raise wrong(msg)
    return value.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


ApiUrl = Annotated[str, Field(max_length=300), AfterValidator(_url)]
Secret = Annotated[SecretStr, Field(min_length=1)]


class Api(Model):
    """What every API has."""

    url: ApiUrl | None = None
    """Scheme, host and port in place of the vendor's (a sandbox, a region)."""
