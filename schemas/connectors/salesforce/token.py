"""The token that lets into Salesforce: what is asked for it, and what the answer says. Pure.

https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_client_credentials_flow.htm
"""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from schemas.connectors.asking import Ask, BadAnswerError, NotLetInError, Steps, required_member

PATH = "/services/oauth2/token"


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a token is good for. It lasts as long as the organisation's sessions do: nothing says until when."""

    token: str = field(repr=False)
    instance_url: str
    """Where the organisation lives: what comes by gRPC must name it."""


def log_in(client_id: str, client_secret: str) -> Steps[AccessToken]:
    """Ask for a token by client credentials. Raises NotLetInError where there is none, BadAnswerError.

    The only way to one: of look-ups, of a stream, and of who checks the set-up.
    """
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    answer = yield Ask("POST", PATH, form=form)
    token = answer.member("access_token")
    if not isinstance(token, str) or not token or not token.isprintable():
        raise NotLetInError("gives no token")
    url = required_member(answer.data, "instance_url", str)
    if urlsplit(url).scheme not in ("http", "https"):
        raise BadAnswerError("instance_url", "is not what is documented")
    return AccessToken(token, url.rstrip("/"))
