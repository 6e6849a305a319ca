"""Bodies that come compressed: what they hold, within a bound."""

import zlib

from api.http.errors import BodyTooLargeError, ContentTypeRefusedError

_GZIP = 16 + zlib.MAX_WBITS
_MEMBERS = 8
"""What follows a member is copied for the next: many small ones would take as long as their square."""


def inflated(body: bytes, limit: int) -> bytes:
    """The content of a gzip body, of one member or several. Raises BodyTooLargeError before it makes more than that."""
    pieces: list[bytes] = []
    left = limit
    rest = body
    while rest and len(pieces) < _MEMBERS:
        member = zlib.decompressobj(_GZIP)
        try:
            piece = member.decompress(rest, left + 1)
        except zlib.error:
            break
        if len(piece) > left:
            raise BodyTooLargeError(limit)
        if not member.eof:
            break
        pieces.append(piece)
        left -= len(piece)
        rest = member.unused_data
    if rest:
        msg = f"content-encoding: the body is not gzip, or not all of it, or has more than {_MEMBERS} members"
        raise ContentTypeRefusedError(msg, field="content-encoding")
    return b"".join(pieces)
