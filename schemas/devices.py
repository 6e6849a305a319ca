"""What the topic `access` tells: API keys, the screens on the walls, and the codes with which they are paired.

Owns the records and their fold: every api folds the same topic, so that all of them know every key, device and code.
Reads no clock: `now` is an argument.
"""

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from schemas.instants import MINUTE, SECOND
from schemas.keys import ApiKey, ApiScope, hashed

CODE_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
CODE_LENGTH = 6
CODE_LASTS = 5 * MINUTE
ONLINE_FOR = 30 * SECOND
"""A device that was heard of in this time is online."""
COMMAND_LASTS = MINUTE


class Code(msgspec.Struct, frozen=True, omit_defaults=True):
    """A code that a screen shows, and for what it was paired."""

    code: str
    claim_sha256: str
    expires_at: int
    device: str | None = None

    def is_claim(self, claim: str) -> bool:
        """Whether it was shown to the browser that has this secret."""
        return hmac.compare_digest(hashed(claim), self.claim_sha256)


class Device(msgspec.Struct, frozen=True, omit_defaults=True):
    """A screen that was paired."""

    id: str
    screen: str
    paired_at: int
    team: str | None = None
    name: str | None = None
    sha256: str = ""
    """Of its token; empty until it has fetched it."""

    def key(self) -> ApiKey | None:
        """What it may do; None until it has its token."""
        if not self.sha256:
            return None
        return ApiKey(self.id, self.sha256, ApiScope.BOARD, self.paired_at, self.team, None, self.screen)


class Heartbeat(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a device says of itself."""

    device: str
    at: int
    build: str = ""
    scene: str = ""
    size: str = ""


class Command(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a device is to do, once."""

    device: str
    at: int
    identify: bool = False
    reload: bool = False
    scene: str | None = None


class HashedKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """An API key, hashed; without it: that it was taken away, wherever else it is still written down."""

    id: str
    key: ApiKey | None = None


AccessEntry = Code | Device | Heartbeat | Command | HashedKey
_KINDS: dict[str, type[AccessEntry]] = {
    "code": Code,
    "device": Device,
    "heartbeat": Heartbeat,
    "command": Command,
    "key": HashedKey,
}
_NAMES: dict[type[AccessEntry], str] = {kind: name for name, kind in _KINDS.items()}


def key_of(entry: AccessEntry) -> bytes:
    """The key of its record."""
    return f"{_NAMES[type(entry)]}|{entry.code if isinstance(entry, Code) else _id_of(entry)}".encode()


def _id_of(entry: Device | Heartbeat | Command | HashedKey) -> str:
    return entry.id if isinstance(entry, Device | HashedKey) else entry.device


def new_code(now: int) -> tuple[Code, str]:
    """A code for a screen, and the secret by which its browser is known."""
    claim = secrets.token_urlsafe(32)
    text = "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
    return Code(text, hashed(claim), now + CODE_LASTS), claim


def written_code(text: str) -> str:
    """A code as people type it: in any case, with blanks and dashes."""
    return text.upper().replace(" ", "").replace("-", "")


def new_device(code: Code, screen: str, *, team: str | None, name: str | None, now: int) -> tuple[Code, Device]:
    """What pairing a code makes: the code that says so, and the device, which has no token yet."""
    device = Device(secrets.token_hex(6), screen, now, team, name)
    return msgspec.structs.replace(code, device=device.id), device


def with_token(device: Device) -> tuple[Device, str]:
    """The device with its token, which is shown this once and never stored."""
    token = f"fc_{device.id}.{secrets.token_urlsafe(32)}"
    return msgspec.structs.replace(device, sha256=hashed(token)), token


@dataclass(slots=True)
class AccessBook:
    """The fold of the topic `access`."""

    codes: dict[str, Code] = field(default_factory=dict)
    devices: dict[str, Device] = field(default_factory=dict)
    heartbeats: dict[str, Heartbeat] = field(default_factory=dict)
    commands: dict[str, Command] = field(default_factory=dict)
    keys: dict[str, HashedKey] = field(default_factory=dict)
    is_known: bool = False
    """All that the topic holds has been read, and what the data folder of this process says is in it."""

    def apply(self, key: bytes, value: bytes | None) -> AccessEntry | None:
        """Take a record in, and give what it says; a value of None takes away what its key names."""
        name, _, id = key.decode().partition("|")
        kind = _KINDS.get(name)
        if kind is None:
            return None  # of a newer build
        held: dict[str, AccessEntry] = getattr(self, f"{name}s")
        if value is None:
            held.pop(id, None)
            return None
        entry = held[id] = msgspec.json.decode(value, type=kind)
        return entry

    def open_code(self, text: str, now: int) -> Code | None:
        """The code, if it still can be paired."""
        code = self.codes.get(written_code(text))
        return code if code is not None and code.device is None and now < code.expires_at else None

    def open_codes(self, now: int) -> list[Code]:
        """Every code that still can be paired."""
        return [code for code in self.codes.values() if code.device is None and now < code.expires_at]

    def find(self, key_id: str) -> ApiKey | None:
        """What a key or a device may do."""
        if (key := self.keys.get(key_id)) is not None:
            return key.key
        found = self.devices.get(key_id)
        return None if found is None else found.key()

    def is_revoked(self, key_id: str) -> bool:
        """Whether the key was taken away."""
        return (key := self.keys.get(key_id)) is not None and key.key is None

    @property
    def has_keys(self) -> bool:
        """Whether there is a key that was not taken away."""
        return any(key.key is not None for key in list(self.keys.values()))  # a worker asks from another thread

    def missing(self, kept: Iterable[ApiKey], revoked: Iterable[str]) -> list[HashedKey]:
        """What a data folder says of keys and the topic does not."""
        news = [HashedKey(key.id, key) for key in kept if key.id not in self.keys]
        return news + [HashedKey(id) for id in sorted(revoked) if not self.is_revoked(id)]

    def is_online(self, device: str, now: int) -> bool:
        """Whether it was heard of a moment ago."""
        heard = self.heartbeats.get(device)
        return heard is not None and now - heard.at <= ONLINE_FOR
