"""Standard Webhooks, signature scheme v1: which requests prove that they come from who shares a secret with us.

Owns the rule, the names of its headers and the form of its secrets. Reads no body and no clock.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, SecretStr

from schemas.connectors.base import SecretError, SignatureError, check_near
from schemas.documents.errors import wrong
from schemas.instants import SECOND

PREFIX = "whsec_"
# The standard advises 24 to 64 bytes. Shorter than 16 can be guessed; longer than 64 is only hashed down.
MIN_KEY = 16
MAX_SIGNATURES = 64
_STANDARD = ("webhook-id", "webhook-timestamp", "webhook-signature")
# Svix and what is built on it sign the same content under names of their own.
_SVIX = ("svix-id", "svix-timestamp", "svix-signature")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


def read_key(secret: str, setting: str) -> bytes:
    """Read the key in a `whsec_` secret, padded or not. Raises SecretError that names `setting`."""
    if not secret.strip().startswith(PREFIX):
        raise SecretError(setting, f"must begin with {PREFIX} (Standard Webhooks)")
    text = secret.strip().removeprefix(PREFIX).rstrip("=")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise SecretError(setting, f"must be base64 after {PREFIX}") from None
    if len(key) < MIN_KEY:
        raise SecretError(setting, f"must hold at least {MIN_KEY} bytes after {PREFIX} (the standard: 24 to 64)")
    return key


def _key_of(secret: SecretStr) -> SecretStr:
    try:
        read_key(secret.get_secret_value(), "")
    except SecretError as error:
        raise wrong(error.problem) from None
    return secret


SigningSecret = Annotated[SecretStr, AfterValidator(_key_of)]
"""`whsec_` and 24 to 64 random bytes in base64."""


def sign(key: bytes, *, message_id: str, timestamp: str, body: bytes) -> str:
    """One entry of the `webhook-signature` header."""
    return _sign(key, _content(message_id, timestamp, body)).decode()


def check_signature(keys: Sequence[bytes], headers: Mapping[str, str], body: bytes, now: int) -> None:
    """Raise SignatureError unless any entry of the header fits any of the keys, at a timestamp near `now`.

    The three headers are taken under one family of names: never one of each, and the standard's own if any is there.
    """
    named = _STANDARD if _STANDARD[0] in headers or not _is_svix(headers) else _SVIX
    message_id, timestamp, signatures = [headers.get(name, "").strip() for name in named]
    if not (message_id and timestamp and signatures):
        missing = next(name for name in named if not headers.get(name, "").strip())
        raise SignatureError(missing, "is missing")
    if _TIMESTAMP.fullmatch(timestamp) is None:
        raise SignatureError(named[1], "must be whole seconds since 1970")
    check_near(int(timestamp) * SECOND, now, named[1])
    # Entries of other schemes (v1a) may stand beside ours.
    given = [entry for entry in signatures.split() if entry.startswith("v1,")][:MAX_SIGNATURES]
    content = _content(message_id, timestamp, body)
    expected = [_sign(key, content) for key in keys]
    fits = False
    for entry in given:
        for signature in expected:  # no early exit: the time taken must not tell which secret is in use
            fits |= hmac.compare_digest(entry.encode("utf-8", "backslashreplace"), signature)
    if not fits:
        raise SignatureError(named[2], "no v1 signature fits a secret of this connection")


def _is_svix(headers: Mapping[str, str]) -> bool:
    return any(name in headers for name in _SVIX) and not any(name in headers for name in _STANDARD)


def _content(message_id: str, timestamp: str, body: bytes) -> bytes:
    return f"{message_id}.{timestamp}.".encode("utf-8", "backslashreplace") + body


def _sign(key: bytes, content: bytes) -> bytes:
    mac = _keyed(key).copy()
    mac.update(content)
    return b"v1," + binascii.b2a_base64(mac.digest(), newline=False)


@lru_cache(maxsize=256)
def _keyed(key: bytes) -> hmac.HMAC:
    # hmac.digest looks the algorithm up in OpenSSL each time, which costs more than to hash a delivery.
    return hmac.new(key, digestmod="sha256")
