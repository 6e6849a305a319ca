"""HubSpot's signatures v1 to v3: which requests prove that they come from HubSpot.

Owns the rule. Only v3 is taken unless a connection says `legacy_signatures: true`: v1 and v2 are plain digests over the
secret and the body, without a timestamp, so they can be extended and sent again for ever.
https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/request-validation
"""

import base64
import hmac
import re
from collections.abc import Sequence
from hashlib import sha256

from schemas.connectors.base import SignatureError, SignedRequest, check_near
from schemas.connectors.tokens import check_secret

SIGNATURE_V3 = "x-hubspot-signature-v3"
TIMESTAMP = "x-hubspot-request-timestamp"
SIGNATURE = "x-hubspot-signature"
VERSION = "x-hubspot-signature-version"
_TIMESTAMP = re.compile(r"[0-9]{1,15}")
# The documented list, no more: any other escape is signed as it stands.
_SIGNED_DECODED = re.compile(r"%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)


def signed_uri(url: str) -> str:
    """Write the URI as version 3 signs it: the escapes that HubSpot lists are decoded, once."""
    return _SIGNED_DECODED.sub(lambda escape: chr(int(escape[1], 16)), url)


def sign_v3(secret: bytes, *, method: str, url: str, body: bytes, timestamp: str) -> str:
    """Value of the `X-HubSpot-Signature-v3` header."""
    content = _bytes(method.upper() + signed_uri(url)) + body + _bytes(timestamp)
    return base64.b64encode(hmac.digest(secret, content, sha256)).decode()


def sign_v2(secret: bytes, *, method: str, url: str, body: bytes) -> str:
    """Value of the `X-HubSpot-Signature` header under version v2."""
    return sha256(secret + _bytes(method.upper() + url) + body).hexdigest()


def sign_v1(secret: bytes, *, body: bytes) -> str:
    """Value of the `X-HubSpot-Signature` header under version v1."""
    return sha256(secret + body).hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def check_request(secrets: Sequence[bytes], request: SignedRequest, now: int, *, takes_legacy: bool) -> None:
    """Raise SignatureError unless the request is signed by one of the secrets, and if by v3, at an instant near `now`.

    Whoever sends a v3 header is held to it, and so is whoever sends the timestamp that comes with v3 alone: whoever
    cuts the signature off gains nothing. HubSpot sends v3 and v1 together while the version header says `v1`, so that
    header does not choose.
    """
    if SIGNATURE_V3 in request.headers:
        _check_v3(secrets, request, now)
    elif takes_legacy and TIMESTAMP not in request.headers and SIGNATURE in request.headers:
        _check_legacy(secrets, request)
    else:
        msg = f"{SIGNATURE_V3}: is missing"
        if SIGNATURE in request.headers and not takes_legacy:
            msg += " (v1 and v2 are taken only with legacy_signatures: true)"
        raise SignatureError(msg)


def _check_v3(secrets: Sequence[bytes], request: SignedRequest, now: int) -> None:
    timestamp = request.headers.get(TIMESTAMP, "").strip()
    if _TIMESTAMP.fullmatch(timestamp) is None:
        raise SignatureError(TIMESTAMP, "is missing or not in whole milliseconds")
    check_near(int(timestamp) * 1000, now, TIMESTAMP)
    expected = [
        sign_v3(secret, method=request.method, url=request.url, body=request.body, timestamp=timestamp)
        for secret in secrets
    ]
    _check(SIGNATURE_V3, request, expected)


def _check_legacy(secrets: Sequence[bytes], request: SignedRequest) -> None:
    version = request.headers.get(VERSION, "").strip().lower()
    if version == "v1":
        expected = [sign_v1(secret, body=request.body) for secret in secrets]
    elif version == "v2":
        expected = [sign_v2(secret, method=request.method, url=request.url, body=request.body) for secret in secrets]
    else:
        raise SignatureError(VERSION, f"must be v1 or v2 where there is no {SIGNATURE_V3}")
    _check(SIGNATURE, request, expected)


def _check(header: str, request: SignedRequest, expected: Sequence[str]) -> None:
    check_secret([signature.encode() for signature in expected], request.headers[header].strip(), header)
