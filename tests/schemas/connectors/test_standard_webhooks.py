"""The signature rule of Standard Webhooks."""

import base64
import hmac
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.connectors.base import SecretError, SignatureError
from schemas.connectors.standard_webhooks import check_signature, read_key, sign
from schemas.instants import SECOND
from tests.schemas.connectors.cases import GENERIC, NOW, connect, fixture, sign_standard

VECTORS = [vector for vector in fixture("vectors.json")["vectors"] if vector["scheme"] == "standard-webhooks"]
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the secret of the public vectors
KEY = read_key(SECRET, "secrets[0]")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vectors_are_taken_or_refused(vector: dict[str, Any]) -> None:
    key = read_key(vector["secret"], "secrets[0]")
    body, now = vector["body"].encode(), int(vector["timestamp"]) * SECOND
    if vector["accept"]:
        check_signature([key], vector["headers"], body, now)
    else:
        with pytest.raises(SignatureError, match="webhook-signature"):
            check_signature([key], vector["headers"], body, now)

    signed = sign(key, message_id=vector["id"], timestamp=vector["timestamp"], body=body)
    assert signed == vector["computed_here"]


def _headers(**changed: str) -> dict[str, str]:
    headers = dict(sign_standard(b"{}", NOW, SECRET).headers)
    return headers | {f"webhook-{name}": value for name, value in changed.items()}


@pytest.mark.parametrize(
    "around", ["v1,AAAA {0}", "{0} v1,AAAA", "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5B {0}"]
)
def test_any_entry_of_the_header_may_fit(around: str) -> None:
    good = _headers()["webhook-signature"]

    check_signature([KEY], _headers(signature=around.format(good)), b"{}", NOW)


@pytest.mark.parametrize("prefix", ["v1a,", "v2,", "V1,", "", "v1 "])
def test_a_good_signature_under_another_scheme_does_not_fit(prefix: str) -> None:
    bare = _headers()["webhook-signature"].removeprefix("v1,")

    with pytest.raises(SignatureError):
        check_signature([KEY], _headers(signature=prefix + bare), b"{}", NOW)


@pytest.mark.parametrize(
    "timestamp", ["-1", "1e9", "+{0}", "{0}.0", "now", "{0}000", "0x10", "\u0661\u0667", "{0} {0}"]
)
def test_a_timestamp_is_whole_seconds_and_nothing_else(timestamp: str) -> None:
    with pytest.raises(SignatureError, match="webhook-timestamp"):
        check_signature([KEY], _headers(timestamp=timestamp.format(NOW // SECOND)), b"{}", NOW)


def test_a_secret_may_lack_its_padding() -> None:
    padded = "whsec_oga5uLOdkBPoOSxe2WSDxGZtsis9u/L6Ziqk044/b1g="

    assert read_key(padded, "secrets[0]") == read_key(padded.rstrip("="), "secrets[0]")


@pytest.mark.parametrize(
    "secret",
    [
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_not base64, not at all",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwA",
        "whsec_MfKQ9r8G_YqrTwjUPD8ILPZIo2LaLa-w",
        "whsec_==",
        "whsec_" + base64.b64encode(b"fifteen bytes!!").decode(),
        "whsec_éééééééééééééééééééééééé",
    ],
    ids=["no prefix", "public key", "text", "bad length", "other alphabet", "empty", "short", "not ASCII"],
)
def test_a_secret_that_cannot_be_a_key_is_refused_by_name_and_not_repeated(secret: str) -> None:
    with pytest.raises(SecretError, match=r"^secrets\[1\]: ") as refusal:
        read_key(secret, "secrets[1]")
    with pytest.raises(ValidationError) as told:
        connect("generic", [GENERIC.secrets[0], secret])

    assert secret not in str(refusal.value)
    assert secret not in str(told.value)
    assert [problem["loc"][-2:] for problem in told.value.errors()] == [("secrets", 1)]


@pytest.mark.parametrize("length", [24, 64, 65, 200])
def test_a_key_of_any_length_signs_as_hmac_says(length: int) -> None:
    key, signed = bytes(range(length)), b"msg_1.1700000000.{}"

    signature = sign(key, message_id="msg_1", timestamp="1700000000", body=b"{}")

    assert signature == "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def test_svix_headers_are_the_same_three_by_other_names() -> None:
    request = sign_standard(b"{}", NOW, SECRET)
    svix = {name.replace("webhook-", "svix-"): value for name, value in request.headers.items()}

    check_signature([KEY], svix, b"{}", NOW)
    with pytest.raises(SignatureError, match=r"^svix-signature: no v1 signature"):
        check_signature([KEY], svix, b"{ }", NOW)
    with pytest.raises(SignatureError, match=r"^svix-timestamp: is more than 5 minutes"):
        check_signature([KEY], svix, b"{}", NOW + 301 * SECOND)
    for missing in ("svix-id", "svix-timestamp", "svix-signature"):
        rest = {name: value for name, value in svix.items() if name != missing}
        with pytest.raises(SignatureError, match=rf"^{missing}: is missing"):
            check_signature([KEY], rest, b"{}", NOW)


def test_headers_of_both_families_are_not_put_together() -> None:
    headers = dict(sign_standard(b"{}", NOW, SECRET).headers)
    headers["svix-id"] = headers.pop("webhook-id")

    with pytest.raises(SignatureError, match=r"^webhook-id: is missing"):
        check_signature([KEY], headers, b"{}", NOW)
