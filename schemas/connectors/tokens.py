"""A token that the CRM repeats in the body of each webhook: all that some of them prove themselves by.

Owns the check. Nothing is signed, so whoever has seen a body can send others: such a connection wants TLS and an
address that nobody guesses.
"""

import hmac
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, SecretStr

from schemas.connectors.base import SignatureError, SignedRequest
from schemas.connectors.connection import MIN_SECRET
from schemas.connectors.json_text import NotJsonError, read_json
from schemas.documents.errors import wrong


def _secret(secret: SecretStr) -> SecretStr:
    # An empty secret verifies against an empty key, which anyone can forge.
    if len(secret.get_secret_value().strip()) < MIN_SECRET:
        msg = f"must have at least {MIN_SECRET} characters"
        raise wrong(msg)
    return secret


Token = Annotated[SecretStr, AfterValidator(_secret)]


def token_of(secret: SecretStr) -> bytes:
    """The token in a configured secret."""
    return secret.get_secret_value().strip().encode("utf-8", "backslashreplace")


def check_token(tokens: Sequence[bytes], request: SignedRequest) -> None:
    """Raise SignatureError unless the body is an object whose member `token` is one of these."""
    try:
        body = read_json(request.body)
    except NotJsonError:
        body = None
    given = body.get("token") if isinstance(body, dict) else None
    if not isinstance(given, str) or not given:
        raise SignatureError("token", "is missing in the body")
    check_secret(tokens, given, "token")


def check_secret(secrets: Sequence[bytes], given: str | bytes, name: str) -> None:
    """Raise SignatureError that names `name` unless what is given is one of the secrets, compared in constant time."""
    said = given if isinstance(given, bytes) else given.encode("utf-8", "backslashreplace")
    fits = False
    for secret in secrets:  # no early exit: the time taken must not tell which secret is in use
        fits |= hmac.compare_digest(said, secret)
    if not fits:
        raise SignatureError(name, "fits no secret of this connection")
