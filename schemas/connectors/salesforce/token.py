"""The token that lets into Salesforce: what is asked for it, and what the answer says. Pure.

https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_client_credentials_flow.htm
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from schemas.connectors.asking import Ask, BadAnswerError, CrmAnswer, required_member

PATH = "/services/oauth2/token"


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a token is good for. It lasts as long as the organisation's sessions do: nothing says until when."""

    token: str = field(repr=False)
    instance_url: str
    """Where the organisation lives: what comes by gRPC must name it."""


def log_in(client_id: str, client_secret: str) -> Generator[Ask, CrmAnswer, AccessToken]:
    """Ask for a token by client credentials. Raises BadAnswerError."""
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    answer = yield Ask("POST", PATH, form=form)
    token, url = required_member(answer.data, "access_token", str), required_member(answer.data, "instance_url", str)
    if not token or not token.isprintable() or urlsplit(url).scheme not in ("http", "https"):
        raise BadAnswerError("access_token, instance_url", "are not what is documented")
    return AccessToken(token, url.rstrip("/"))
