"""The login of the local Kafka: made once for a data folder, and read by whatever runs on that folder.

    DIR/kafka.env    the settings by which a client gets in, for `set -a; . DIR/kafka.env`; readable for its owner only

The secret is in no command line and no log. Children get it in their environment, which only their owner can read.
"""

import secrets
from pathlib import Path

from dotenv import dotenv_values

from deploy.local.private import write_private
from schemas.kafka import Security

_USER = "floorcast"
_FILE = "kafka.env"
_PASSWORD = "FLOORCAST_KAFKA_SASL_PASSWORD"  # noqa: S105 - the name of a variable


def read_login(data: Path) -> Security | None:
    """What the Kafka on this folder asks for; None if that is nothing, or is not ours to read."""
    try:
        password = dotenv_values(data / _FILE, interpolate=False).get(_PASSWORD)
    except OSError:
        return None
    return _login(password) if password else None


def make_login(data: Path) -> Security:
    """What the Kafka on this folder asks for, the same at each start. Raises OSError."""
    login = read_login(data) or _login(secrets.token_hex(32))
    lines = [f"{name}={value}\n" for name, value in login.environment.items() if value]
    write_private(data / _FILE, "".join(lines).encode())
    return login


def _login(password: str) -> Security:
    return Security("SASL_PLAINTEXT", "PLAIN", _USER, password)
