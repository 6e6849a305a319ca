"""API keys: the file of a data folder that holds them hashed, and what a running process knows of them.

Owns the file, its lock and the scopes. `floorcast keys` writes it where no Kafka is named; an api writes what it says
to the topic `access`, where every api reads it (schemas/devices.py), and asks a KeyStore, which knows both, at each
request.
"""

import hashlib
import hmac
import os
import secrets
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec
import structlog

if TYPE_CHECKING:
    from filelock import FileLock

log = structlog.get_logger("api")

_MAX_FILE = 4 << 20
_MAX_TOKEN = 256


class ApiScope(StrEnum):
    """What a key may do. `admin` may all, `read` may also show boards; `rep` is apart: one person's own numbers."""

    REP = "rep"
    BOARD = "board"
    READ = "read"
    ADMIN = "admin"

    def includes(self, wanted: "ApiScope") -> bool:
        """Whether a key of this scope may do what `wanted` asks for."""
        if ApiScope.REP in {self, wanted}:
            return self is wanted
        return _RANKS[self] >= _RANKS[wanted]


_RANKS = {ApiScope.BOARD: 0, ApiScope.READ: 1, ApiScope.ADMIN: 2}


class ApiKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key as it is stored: its secret only as a hash."""

    id: str
    sha256: str
    scope: ApiScope
    created_at: int
    team: str | None = None
    expires_at: int | None = None
    screen: str | None = None
    """The screen that it opens and that it sees all with the privacy of; None: whichever it asks for."""
    rep: str | None = None
    """Of scope `rep`: whose numbers it shows."""

    def is_expired(self, now: int) -> bool:
        """Whether its time has passed at `now`."""
        return self.expires_at is not None and now >= self.expires_at


class _KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    keys: list[ApiKey]
    revoked: list[str] = []
    """Ids of keys that were taken away here, for whoever knows them from the topic."""


class SharedKeys(Protocol):
    """What the topic `access` says of keys, to all apis alike."""

    @property
    def is_known(self) -> bool:
        """All that it holds has been read, and what the data folder says is in it."""

    @property
    def has_keys(self) -> bool:
        """Whether there is a key that was not taken away."""

    def find(self, key_id: str) -> ApiKey | None:
        """The key or screen of that id; None where there is none, or it was taken away."""

    def is_revoked(self, key_id: str) -> bool:
        """Whether it was taken away, wherever it is still written down."""


class KeyFileError(Exception):
    """The file of keys cannot be read or written. Nobody is let in by it."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        super().__init__(f"{path}: {reason}")


class UnknownKeyError(Exception):
    """There is no key of that id."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"there is no key {key_id!r}")


def create_key(
    path: Path,
    scope: ApiScope,
    *,
    now: int,
    team: str | None = None,
    expires_at: int | None = None,
    rep: str | None = None,
) -> str:
    """Add a key and give its token, which is shown this once and never stored. Raises KeyFileError."""
    key, token = new_key(scope, now=now, team=team, expires_at=expires_at, rep=rep)
    with _locked(path):
        file = _read(path)
        _write(path, _KeyFile([*file.keys, key], file.revoked))
    return token


def new_key(
    scope: ApiScope,
    *,
    now: int,
    team: str | None = None,
    expires_at: int | None = None,
    rep: str | None = None,
) -> tuple[ApiKey, str]:
    """A key and its token, which is shown this once and never stored."""
    key_id = secrets.token_hex(6)
    token = f"fc_{key_id}.{secrets.token_urlsafe(32)}"
    return ApiKey(key_id, hashed(token), scope, now, team, expires_at, rep=rep), token


VERIFIER = "verifier"
"""Id of the key that a process is started with, beside those in the file."""


def ephemeral_key() -> tuple[str, str]:
    """Give a token, and the hash by which an api that is started with it knows it (`verifier_key_sha256`)."""
    token = f"fc_{VERIFIER}.{secrets.token_urlsafe(32)}"
    return token, hashed(token)


def list_keys(path: Path) -> list[ApiKey]:
    """All keys, the expired ones too, oldest first. Raises KeyFileError."""
    return _read(path).keys


def _read(path: Path) -> _KeyFile:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return _KeyFile([])
    except OSError as error:
        raise KeyFileError(path, f"cannot be read: {error.strerror}") from None
    if len(content) > _MAX_FILE:
        raise KeyFileError(path, f"is larger than {_MAX_FILE} bytes")
    try:
        return msgspec.json.decode(content, type=_KeyFile)
    except msgspec.DecodeError:
        raise KeyFileError(path, "is not a file of API keys") from None


def revoke_key(path: Path, key_id: str) -> None:
    """Take a key away; a running api refuses it from its next request on. Raises UnknownKeyError, KeyFileError."""
    with _locked(path):
        file = _read(path)
        kept = [key for key in file.keys if key.id != key_id]
        if len(kept) == len(file.keys):
            raise UnknownKeyError(key_id)
        _write(path, _KeyFile(kept, [*file.revoked, key_id]))


def has_keys(path: Path) -> bool:
    """Whether any key was made (an expired one counts: its owner wanted a closed door). Raises KeyFileError."""
    return bool(list_keys(path))


def _locked(path: Path) -> "FileLock":
    from filelock import FileLock  # noqa: PLC0415 - late: who only reads keys starts sooner without it

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(path.with_suffix(".lock"), timeout=10, mode=0o600)
    except OSError as error:
        raise KeyFileError(path, f"cannot be written: {error.strerror}") from None


def _write(path: Path, file_of_keys: _KeyFile) -> None:
    """Whole or not at all: a reader never sees half a file."""
    content = msgspec.json.format(msgspec.json.encode(file_of_keys), indent=2) + b"\n"
    try:
        # mkstemp makes it readable for its owner only (0600).
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".keys-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise KeyFileError(path, f"cannot be written: {error.strerror}") from None


def hashed(secret: str) -> str:
    """What is kept of a secret: 32 random bytes cannot be guessed, so a fast hash is enough at each request."""
    return hashlib.sha256(secret.encode()).hexdigest()


class KeyStore:
    """The keys of a running process; reads the file again as soon as it has changed.

    `verifier_sha256`: of one more key of scope read, which is in no file and closes no door that is open without it.
    """

    def __init__(self, path: Path, *, loopback: bool, verifier_sha256: str | None = None) -> None:
        self._path = path
        self._loopback = loopback
        self._seen: tuple[int, int, int] | None = None
        self._loaded = False
        self._broken = False
        self._by_id: dict[str, ApiKey] = {}
        self._revoked: frozenset[str] = frozenset()
        self._passing = (
            {}
            if verifier_sha256 is None
            else {VERIFIER: ApiKey(VERIFIER, verifier_sha256, ApiScope.READ, created_at=0)}
        )
        self.shared: SharedKeys | None = None
        """What the topic `access` says; None: there is the file alone."""

    @property
    def is_known(self) -> bool:
        """Whether all keys are known; before that nobody can be told from anybody."""
        return self.shared is None or self.shared.is_known

    @property
    def is_open(self) -> bool:
        """Whether everyone on this machine may do all: listening on loopback, and no key was ever made."""
        self._refresh()
        is_any_shared = self.shared is not None and (not self.shared.is_known or self.shared.has_keys)
        return self._loopback and not self._by_id and not self._broken and not is_any_shared

    def kept(self) -> tuple[list[ApiKey], frozenset[str]]:
        """The keys of the file, and the ids that were taken away there."""
        self._refresh()
        return list(self._by_id.values()), self._revoked

    def find(self, token: str, now: int) -> ApiKey | None:
        """The valid key that `token` is, if any."""
        self._refresh()
        if len(token) > _MAX_TOKEN or not token.startswith("fc_") or not token.isascii():
            return None
        key_id = token[3:].partition(".")[0]
        key = self._passing.get(key_id) or self._find(key_id)
        # Hash also for an unknown id, so that the time taken does not tell which ids exist.
        matches = hmac.compare_digest(hashed(token), key.sha256 if key else "0" * 64)
        return key if key is not None and matches and not key.is_expired(now) else None

    def _find(self, key_id: str) -> ApiKey | None:
        if key_id in self._revoked or (self.shared is not None and self.shared.is_revoked(key_id)):
            return None
        return self._by_id.get(key_id) or (None if self.shared is None else self.shared.find(key_id))

    def _refresh(self) -> None:
        try:
            stat = self._path.stat()
            seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        except FileNotFoundError:
            seen = None
        except OSError:
            seen = (0, 0, 0)
        if self._loaded and seen == self._seen:
            return
        self._loaded, self._seen = True, seen
        try:
            file = _read(self._path)
            self._by_id, self._broken = {key.id: key for key in file.keys}, False
            self._revoked = frozenset(file.revoked)
        except KeyFileError as error:
            # Closed for all until it is mended: an unreadable file must not open the door.
            self._by_id, self._broken = {}, True
            log.error("keys.load_failed", reason=str(error))
