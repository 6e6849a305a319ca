"""The settings by which Kafka lets a process in."""

import logging
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.kafka import PLAIN, Kafka, KafkaSettings, OAuth, Security, kafka_options
from schemas.kafka_tokens import FetchedTokens, FileTokens

PASSWORD = "-".join(["p4ssw0rd", "of", "the", "test"])
LOGIN: dict[str, Any] = {"kafka_sasl_mechanism": "PLAIN", "kafka_sasl_username": "ana", "kafka_sasl_password": PASSWORD}


def problem(**given: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        KafkaSettings(**given)
    (error,) = refused.value.errors(include_input=False)
    text = f"{error['loc']} {error['msg']}"
    assert PASSWORD not in text
    return text


def test_without_settings_nothing_is_shown() -> None:
    assert KafkaSettings().kafka_security == PLAIN
    assert kafka_options("a:1,b:2") == {"bootstrap_servers": "a:1,b:2", "security_protocol": "PLAINTEXT"}


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_login_over_a_plain_connection(mechanism: str) -> None:
    given = LOGIN | {"kafka_sasl_mechanism": mechanism}
    kafka = KafkaSettings(kafka_security_protocol="SASL_PLAINTEXT", **given).kafka_at("a:1")

    assert kafka.options() == {
        "bootstrap_servers": "a:1", "security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": mechanism,
        "sasl_plain_username": "ana", "sasl_plain_password": PASSWORD,
    }  # fmt: skip
    assert PASSWORD not in f"{kafka} {kafka!r}"


def test_variables_that_are_set_to_nothing_are_not_given() -> None:
    given: dict[str, Any] = dict.fromkeys(KafkaSettings.model_fields, "")
    assert KafkaSettings(**given).kafka_security == PLAIN


@pytest.mark.parametrize("missing", LOGIN)
def test_a_login_that_is_not_whole_is_refused_by_name(missing: str) -> None:
    given = {name: value for name, value in LOGIN.items() if name != missing}
    text = problem(kafka_security_protocol="SASL_PLAINTEXT", **given)
    assert f"FLOORCAST_{missing.upper()}: is needed" in text


def test_a_login_that_nobody_would_be_shown_is_refused() -> None:
    assert "FLOORCAST_KAFKA_SECURITY_PROTOCOL: is PLAINTEXT" in problem(**LOGIN)


def test_a_file_that_is_not_there_is_refused_by_its_setting(tmp_path: Path) -> None:
    text = problem(kafka_security_protocol="SSL", kafka_ssl_cafile=tmp_path / "none.pem")
    assert "kafka_ssl_cafile" in text


def test_a_file_that_holds_no_certificate_is_refused_by_its_setting(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("nothing of the kind")
    assert "FLOORCAST_KAFKA_SSL_CAFILE: cannot be read" in problem(kafka_security_protocol="SSL", kafka_ssl_cafile=file)


def make_certificate(folder: Path, *options: str) -> tuple[Path, Path]:
    key, certificate = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-subj", "/CN=test", "-days", "1", "-keyout", key, "-out",
         certificate, *options],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


def test_certificates_of_both_sides_and_a_locked_key(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "-passout", f"pass:{PASSWORD}")
    given: dict[str, Any] = {
        "kafka_security_protocol": "SASL_SSL", "kafka_ssl_cafile": certificate, "kafka_ssl_certfile": certificate,
        "kafka_ssl_keyfile": key, **LOGIN,
    }  # fmt: skip
    options = KafkaSettings(**given, kafka_ssl_key_password=PASSWORD).kafka_at("a:1").options()
    assert options["ssl_context"].check_hostname is True
    assert options["security_protocol"] == "SASL_SSL"

    for wrong in ({}, {"kafka_ssl_key_password": "another"}):
        assert "FLOORCAST_KAFKA_SSL_CERTFILE: cannot be read" in problem(**given, **wrong)
    unchecked = KafkaSettings(**given, kafka_ssl_key_password=PASSWORD, kafka_ssl_check_hostname=False)
    assert unchecked.kafka_at("a:1").options()["ssl_context"].check_hostname is False


def test_certificates_that_nobody_would_check_are_refused(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "-nodes")
    assert "FLOORCAST_KAFKA_SECURITY_PROTOCOL: is PLAINTEXT" in problem(kafka_ssl_cafile=certificate)
    text = problem(kafka_security_protocol="SSL", kafka_ssl_keyfile=key)
    assert "FLOORCAST_KAFKA_SSL_CERTFILE: is needed" in text


CLIENT: dict[str, Any] = {
    "kafka_sasl_mechanism": "OAUTHBEARER", "kafka_sasl_oauth_token_url": "https://login.example.com/token",
    "kafka_client_id": "floorcast", "kafka_client_secret": PASSWORD,
}  # fmt: skip


def test_a_token_from_a_file_and_one_that_is_fetched(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("abc")
    by_file = KafkaSettings(
        kafka_security_protocol="SASL_PLAINTEXT", kafka_sasl_mechanism="OAUTHBEARER", kafka_sasl_oauth_token_file=file
    ).kafka_at("a:1")
    fetched = KafkaSettings(kafka_security_protocol="SASL_SSL", **CLIENT).kafka_at("a:1")

    assert isinstance(by_file.options()["sasl_oauth_token_provider"], FileTokens)
    assert isinstance(fetched.options()["sasl_oauth_token_provider"], FetchedTokens)
    # Whatever client of Kafka a process opens, it shows the same token.
    assert fetched.options()["sasl_oauth_token_provider"] is fetched.options()["sasl_oauth_token_provider"]
    assert "sasl_plain_username" not in fetched.options()
    assert PASSWORD not in f"{fetched} {fetched!r}"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"kafka_sasl_oauth_token_url": None}, "FLOORCAST_KAFKA_SASL_OAUTH_TOKEN_URL: is needed"),
        ({"kafka_client_id": None}, "FLOORCAST_KAFKA_CLIENT_ID: is needed"),
        ({"kafka_client_secret": None}, "FLOORCAST_KAFKA_CLIENT_SECRET: is needed"),
        ({"kafka_sasl_mechanism": "PLAIN"}, "FLOORCAST_KAFKA_SASL_USERNAME: is needed"),
        (
            {"kafka_sasl_mechanism": "PLAIN", "kafka_sasl_username": "ana", "kafka_sasl_password": PASSWORD},
            "FLOORCAST_KAFKA_SASL_MECHANISM: is PLAIN, which shows no token",
        ),
        ({"kafka_security_protocol": "PLAINTEXT"}, "FLOORCAST_KAFKA_SECURITY_PROTOCOL: is PLAINTEXT"),
        ({"kafka_sasl_oauth_token_url": "http://login.example.com/token"}, "has to be an https address"),
        ({"kafka_sasl_oauth_token_url": f"https://a:{PASSWORD}@example.com/"}, "has to be an https address"),
        ({"kafka_sasl_oauth_token_url": "token"}, "has to be an https address"),
        ({"kafka_sasl_oauth_token_file": __file__}, "there is FLOORCAST_KAFKA_SASL_OAUTH_TOKEN_FILE already"),
    ],
)
def test_what_gives_no_token_is_refused_by_its_setting(changed: dict[str, Any], words: str) -> None:
    assert words in problem(**{"kafka_security_protocol": "SASL_SSL", **CLIENT, **changed})


@pytest.mark.parametrize(
    "security",
    [
        Security("SASL_PLAINTEXT", "SCRAM-SHA-512", "ana", PASSWORD),
        Security(
            "SASL_SSL", "OAUTHBEARER", oauth=OAuth(None, "https://login.example.com/token", "ana", PASSWORD, "kafka")
        ),
    ],
)
def test_a_process_that_is_started_knows_the_same(security: Security) -> None:
    fields: dict[str, Any] = {
        name.removeprefix("FLOORCAST_").lower(): value for name, value in security.environment.items()
    }
    assert fields.keys() == KafkaSettings.model_fields.keys()
    assert KafkaSettings(**fields).kafka_security == security


def test_nobody_is_told_of_each_connection_that_the_password_was_readable(caplog: pytest.LogCaptureFixture) -> None:
    Kafka("a:1").options()
    with caplog.at_level(logging.WARNING):
        logging.getLogger("aiokafka.conn").warning("Sending username and password in the clear")
        logging.getLogger("aiokafka.conn").warning("something else")
    assert [record.message for record in caplog.records] == ["something else"]
