"""How much body is taken, where it is no delivery of a CRM: what pages and programs say in one is a few words.

Nobody need show a key for all of it, so none of it may cost memory. The bounds of deliveries are the webhooks' own.
"""

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from api.http.errors import BodyTooLargeError

MOST_BODY = 16 << 10


def bounded(scope: Scope, receive: Receive) -> Receive:
    """Read a body no further than that. Raises BodyTooLargeError, at once where its length says so."""
    length = Headers(scope=scope).get("content-length", "0")
    if length.isdecimal() and int(length) > MOST_BODY:
        raise BodyTooLargeError(MOST_BODY)
    size = 0

    async def read() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MOST_BODY:
            raise BodyTooLargeError(MOST_BODY)
        return message

    return read
