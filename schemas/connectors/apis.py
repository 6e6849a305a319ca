"""Settings of a CRM's own API, which look-ups, back-fill and reconciliation ask: what all kinds have in common.

Owns the address. Asks nothing. Secrets in it are never shown: pydantic hides them.
"""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from schemas.addresses import is_loopback
from schemas.documents.errors import wrong
from schemas.documents.values import DurationSetting, Model, WholeNumber, ranging
from schemas.instants import DAY, HOUR, MINUTE, SECOND


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
        raise wrong("must hold no user and password")
    if parts.path.strip("/"):
        msg = "must be scheme, host and port alone: the vendor's path is appended"
        raise wrong(msg)
    if parts.scheme == "http" and not is_loopback(host):
        msg = "must begin with https:// (http:// is for this machine alone)"
        raise wrong(msg)
    return value.rstrip("/")


ApiUrl = Annotated[str, Field(max_length=300), AfterValidator(_url)]
Secret = Annotated[SecretStr, Field(min_length=1)]
DailyLimit = Annotated[WholeNumber | None, Field(ge=1, le=1_000_000_000)]


class Api(Model):
    """What every API has."""

    url: ApiUrl | None = None
    """Scheme, host and port in place of the vendor's (a sandbox, a region)."""


class Reconcile(Model):
    """How often what changed is asked for, and compared with what is known."""

    every: Annotated[DurationSetting, ranging("must be 5s or more", least=5 * SECOND)] = 15 * MINUTE
    """From the begin of one round to that of the next; 5s or more."""
    overlap: DurationSetting | None = None
    """How far back before the last round each one looks; unless said, as far as the vendor's index may lag."""
    settle: DurationSetting = HOUR
    """What changed is asked for once more after so long."""
    ids: DurationSetting = 7 * DAY
    """How often the ids of all records are compared, for deletions that no list tells."""


class Lookups(Model):
    """How records are asked for that a webhook only names."""

    wait: Annotated[DurationSetting, ranging("must be at most 1m", most=MINUTE)] = SECOND
    """How long ids are gathered before one request, at most 1m."""
