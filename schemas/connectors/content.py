"""What a body is said to be: the Content-Type and Content-Encoding of a webhook.

Owns the check that a connection takes such a body. Reads no body.
"""

from collections.abc import Collection, Mapping

from schemas.connectors.base import ContentTypeError

JSON = "application/json"


def media_type(headers: Mapping[str, str]) -> str:
    """Type and subtype in lower case, without parameters. A request that names none is read as JSON."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() or JSON


def check_content(headers: Mapping[str, str], taken: Collection[str]) -> None:
    """Raise ContentTypeError unless the body is said to be one of these types, in UTF-8 and not compressed."""
    if headers.get("content-type") == JSON and JSON in taken and "content-encoding" not in headers:
        return  # what nearly all say
    if media_type(headers) not in taken:
        raise ContentTypeError("content-type", f"must be {' or '.join(sorted(taken))}")
    if _charset(headers) not in {"utf-8", "utf8"}:
        raise ContentTypeError("content-type", "charset must be utf-8")
    # A compressed body would have to be unpacked before anything is known of its size.
    if headers.get("content-encoding", "").strip().lower() not in {"", "identity"}:
        raise ContentTypeError("content-encoding", "must be identity")


def _charset(headers: Mapping[str, str]) -> str:
    for parameter in headers.get("content-type", "").split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"').lower()
    return "utf-8"
