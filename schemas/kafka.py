"""How a Kafka is reached: its addresses, and what a client has to show there.

Owns the settings `FLOORCAST_KAFKA_…`, which every process and command takes, and what they mean to a client of Kafka.
Opens no connection. No secret of it is ever printed: `str` of a `Kafka` is its addresses.
"""

import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, FilePath, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]

_SETTING = "FLOORCAST_KAFKA_"
_OAUTH = "OAUTHBEARER"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class TokenError(OSError):
    """There is no token to show. An OSError, as aiokafka tries again after one; the message names the setting."""


@dataclass(frozen=True, slots=True)
class OAuth:
    """Where a token comes from, for a Kafka that asks for OAUTHBEARER: a file, or an address and a client of it."""

    token_file: Path | None = None
    token_url: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Security:
    """What a client shows, and by what it knows the broker. As it stands: nothing, over a plain connection."""

    protocol: Protocol = "PLAINTEXT"
    mechanism: Mechanism | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    oauth: OAuth = OAuth()
    cafile: Path | None = None
    certfile: Path | None = None
    keyfile: Path | None = None
    key_password: str | None = field(default=None, repr=False)
    check_hostname: bool = True

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is spoken."""
        return self.protocol in ("SSL", "SASL_SSL")

    @property
    def has_login(self) -> bool:
        """Whether a name and a password, or a token, are shown."""
        return self.protocol in ("SASL_PLAINTEXT", "SASL_SSL")

    @property
    def who(self) -> str:
        """By what name the broker's owner knows us, for a message: never a secret."""
        unnamed = "the token" if self.mechanism == _OAUTH else "the certificate" if self.certfile else "us"
        return self.username or self.oauth.client_id or unnamed

    @property
    def environment(self) -> Mapping[str, str]:
        """The settings that say so, for a process that is started: all of them, so that no other one is left over."""
        return {
            f"{_SETTING}SECURITY_PROTOCOL": self.protocol,
            f"{_SETTING}SASL_MECHANISM": self.mechanism or "",
            f"{_SETTING}SASL_USERNAME": self.username or "",
            f"{_SETTING}SASL_PASSWORD": self.password or "",
            f"{_SETTING}SASL_OAUTH_TOKEN_FILE": str(self.oauth.token_file or ""),
            f"{_SETTING}SASL_OAUTH_TOKEN_URL": self.oauth.token_url,
            f"{_SETTING}SASL_OAUTH_SCOPE": self.oauth.scope,
            f"{_SETTING}CLIENT_ID": self.oauth.client_id,
            f"{_SETTING}CLIENT_SECRET": self.oauth.client_secret,
            f"{_SETTING}SSL_CAFILE": str(self.cafile or ""),
            f"{_SETTING}SSL_CERTFILE": str(self.certfile or ""),
            f"{_SETTING}SSL_KEYFILE": str(self.keyfile or ""),
            f"{_SETTING}SSL_KEY_PASSWORD": self.key_password or "",
            f"{_SETTING}SSL_CHECK_HOSTNAME": str(self.check_hostname).lower(),
        }

    def ssl_context(self) -> ssl.SSLContext:
        """What TLS is spoken with. Raises OSError (ssl.SSLError is one) where a file is not what it should be."""
        context = ssl.create_default_context(cafile=self.cafile)
        context.check_hostname = self.check_hostname
        if self.certfile is not None:
            # A password is always given: without one OpenSSL would ask for it on the terminal.
            context.load_cert_chain(self.certfile, self.keyfile, self.key_password or "")
        return context


PLAIN = Security()


@dataclass(frozen=True, slots=True)
class Kafka:
    """A Kafka as a client reaches it."""

    addresses: str
    """HOST:PORT, several with commas."""
    security: Security = PLAIN

    def __str__(self) -> str:
        return self.addresses

    def options(self) -> dict[str, Any]:
        """The arguments by which every client of aiokafka connects. Reads the files of certificates."""
        # Of every connection aiokafka remarks that a password goes over it in the clear: once more than it was chosen.
        logging.getLogger("aiokafka.conn").addFilter(_is_no_repeated_remark)
        security = self.security
        found: dict[str, Any] = {"bootstrap_servers": self.addresses, "security_protocol": security.protocol}
        if security.is_encrypted:
            found["ssl_context"] = security.ssl_context()
        if security.has_login:
            found["sasl_mechanism"] = security.mechanism
        if security.has_login and security.mechanism == _OAUTH:
            from schemas.kafka_tokens import tokens  # noqa: PLC0415 - only who shows tokens needs a client of HTTP

            found["sasl_oauth_token_provider"] = tokens(security.oauth)
        elif security.has_login:
            found |= {
                "sasl_plain_username": security.username,
                "sasl_plain_password": security.password,
            }
        return found


QUICK_MS = 8_000
"""So long a client waits for a small answer. Kafka elects other leaders for those of a broker that hangs
after some nine seconds, and aiokafka's own 40 s would be 40 s of standing still."""

Address = str | Kafka
"""Text is a Kafka that asks for nothing."""


def _host_ports(text: str) -> str:
    for one in text.split(","):
        host, _, port = one.strip().rpartition(":")
        if not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) <= 65535:
            msg = f"{one.strip()!r} is not HOST:PORT"
            raise ValueError(msg)
    return text


BrokerAddresses = Annotated[str, AfterValidator(_host_ports)]
"""HOST:PORT of a Kafka, several with commas."""


def kafka_options(kafka: Address) -> dict[str, Any]:
    """The arguments by which every client of aiokafka connects there."""
    return (Kafka(kafka) if isinstance(kafka, str) else kafka).options()


class KafkaSettings(BaseSettings):
    """What the settings of every process and command have in common: how Kafka lets it in."""

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_not_given(cls, value: Any, info: ValidationInfo) -> Any:
        """A variable that is set to nothing, as container files do."""
        name = info.field_name or ""
        return cls.model_fields[name].default if value == "" and name.startswith("kafka_") else value

    kafka_security_protocol: Protocol = Field(
        default="PLAINTEXT", description="How Kafka is spoken to: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."
    )
    kafka_sasl_mechanism: Mechanism | None = Field(
        default=None, description="With SASL: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER."
    )
    kafka_sasl_username: str | None = Field(default=None, description="With SASL: the name to log in with.")
    kafka_sasl_password: SecretStr | None = Field(default=None, description="With SASL: its password.")
    kafka_sasl_oauth_token_file: FilePath | None = Field(
        default=None, description="With OAUTHBEARER: the file that holds the token; read at each login."
    )
    kafka_sasl_oauth_token_url: str | None = Field(
        default=None,
        description="With OAUTHBEARER: the https address where a token is fetched for the client below.",
    )
    kafka_sasl_oauth_scope: str | None = Field(
        default=None, description="With a token address: the scope to ask for, where its issuer wants one."
    )
    kafka_client_id: str | None = Field(default=None, description="With a token address: the name of the client.")
    kafka_client_secret: SecretStr | None = Field(default=None, description="With a token address: its secret.")
    kafka_ssl_cafile: FilePath | None = Field(
        default=None, description="With SSL: PEM file of the authorities to trust. Without it: those of the system."
    )
    kafka_ssl_certfile: FilePath | None = Field(
        default=None, description="With SSL: PEM file of the certificate to show, where Kafka asks for one."
    )
    kafka_ssl_keyfile: FilePath | None = Field(
        default=None, description="With SSL: PEM file of its key, if that is not in the same file."
    )
    kafka_ssl_key_password: SecretStr | None = Field(default=None, description="With SSL: what the key is locked with.")
    kafka_ssl_check_hostname: bool = Field(
        default=True, description="With SSL: whether Kafka's certificate has to name the host that is spoken to."
    )

    @property
    def kafka_security(self) -> Security:
        """What a client shows."""
        return Security(
            protocol=self.kafka_security_protocol,
            mechanism=self.kafka_sasl_mechanism,
            username=self.kafka_sasl_username,
            password=_revealed(self.kafka_sasl_password),
            oauth=OAuth(
                token_file=self.kafka_sasl_oauth_token_file,
                token_url=self.kafka_sasl_oauth_token_url or "",
                client_id=self.kafka_client_id or "",
                client_secret=_revealed(self.kafka_client_secret) or "",
                scope=self.kafka_sasl_oauth_scope or "",
            ),
            cafile=self.kafka_ssl_cafile,
            certfile=self.kafka_ssl_certfile,
            keyfile=self.kafka_ssl_keyfile,
            key_password=_revealed(self.kafka_ssl_key_password),
            check_hostname=self.kafka_ssl_check_hostname,
        )

    def kafka_at(self, addresses: str) -> Kafka:
        """The Kafka at these addresses."""
        return Kafka(addresses, self.kafka_security)

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        security = self.kafka_security
        self._check_login(security)
        if security.keyfile is not None and security.certfile is None:
            raise _wrong("SSL_CERTFILE", f"is needed where {_SETTING}SSL_KEYFILE is given")
        if security.is_encrypted:
            _check_files(security)
        elif security.cafile is not None or security.certfile is not None:
            raise _wrong("SECURITY_PROTOCOL", f"is {security.protocol}, which shows and checks no certificate")
        return self

    def _check_login(self, security: Security) -> None:
        """Raise ValueError where what is shown is not whole, or would be shown to nobody: who believes it would err."""
        by_token = security.mechanism == _OAUTH
        needed: tuple[str, ...] = ()
        if security.has_login:
            needed = ("sasl_mechanism",) if by_token else ("sasl_mechanism", "sasl_username", "sasl_password")
            if by_token and security.oauth.token_file is None:
                needed += ("sasl_oauth_token_url", "client_id", "client_secret")
        for name in needed:
            if not getattr(self, f"kafka_{name}"):
                other = f" (or {_SETTING}SASL_OAUTH_TOKEN_FILE)" if by_token else ""
                raise _wrong(name.upper(), f"is needed where the security protocol is {security.protocol}{other}")
        if not security.has_login and (security.username, security.password, security.oauth) != (None, None, OAuth()):
            raise _wrong("SECURITY_PROTOCOL", f"is {security.protocol}, which shows nobody a name, password or token")
        if security.oauth != OAuth() and not by_token:
            raise _wrong("SASL_MECHANISM", f"is {security.mechanism}, which shows no token")
        if security.oauth.token_file is not None and security.oauth.token_url:
            raise _wrong("SASL_OAUTH_TOKEN_URL", f"there is {_SETTING}SASL_OAUTH_TOKEN_FILE already")
        if security.oauth.token_url and not _is_safe(security.oauth.token_url):
            raise _wrong("SASL_OAUTH_TOKEN_URL", "has to be an https address without a name or password in it")


def _wrong(setting: str, problem: str) -> ValueError:
    return ValueError(f"{_SETTING}{setting}: {problem}")


def _is_safe(url: str) -> bool:
    """Whether a secret may be sent there: over TLS, or to this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    secure = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    return bool(host) and secure and parts.username is None


def _is_no_repeated_remark(record: logging.LogRecord) -> bool:
    return "in the clear" not in str(record.msg)


def _check_files(security: Security) -> None:
    try:
        Security(protocol=security.protocol, cafile=security.cafile).ssl_context()
    except OSError:
        raise _wrong("SSL_CAFILE", "cannot be read as certificates in PEM") from None
    try:
        security.ssl_context()
    except OSError:
        why = (
            f"cannot be read as a certificate in PEM with the key of {_SETTING}SSL_KEYFILE "
            f"and the password of {_SETTING}SSL_KEY_PASSWORD"
        )
        raise _wrong("SSL_CERTFILE", why) from None


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
