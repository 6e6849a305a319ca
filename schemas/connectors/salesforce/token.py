"""The token that lets into Salesforce: what is asked for it, and what the answer says. Pure.

https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_client_credentials_flow.htm
"""

from dataclasses import dataclass, field

from schemas.connectors.asking import Ask, NotLetInError, Steps

PATH = "/services/oauth2/token"


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a token is good for. It lasts as long as the organisation's sessions do: nothing says until when."""

    token: str = field(repr=False)
    instance_url: str
    """Where the organisation lives: what comes by gRPC must name it. Empty: it is not said as is documented."""


def log_in(client_id: str, client_secret: str) -> Steps[AccessToken]:
    """Ask for a token by client credentials. Raises NotLetInError where there is none.

    The only way to one: of look-ups, of a stream, and of who checks the set-up.
    """
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    answer = yield Ask("POST", PATH, form=form)
    token = answer.member("access_token")
    if not isinstance(token, str) or not token or not token.isprintable():
        raise NotLetInError("gives no token")
    url = answer.member("instance_url")
    is_address = isinstance(url, str) and url.startswith(("https://", "http://"))
    return AccessToken(token, url.rstrip("/") if is_address else "")
