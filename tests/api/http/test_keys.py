"""The file of keys, and what a running api knows of it."""

import stat
from pathlib import Path

import msgspec
import pytest

from schemas.addresses import is_loopback
from schemas.devices import AccessBook, HashedKey, key_of
from schemas.instants import DAY
from schemas.keys import (
    ApiScope,
    KeyFileError,
    KeyStore,
    UnknownKeyError,
    create_key,
    ephemeral_key,
    has_keys,
    list_keys,
    new_key,
    revoke_key,
)

NOW = 1_773_850_890_344_000


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "data" / "keys.json"


class TestSharedKeys:
    """What the topic says, beside the file."""

    def test_nobody_is_known_before_the_topic_was_read(self, keys: Path) -> None:
        store, book = KeyStore(keys, loopback=True), AccessBook()
        store.shared = book
        assert not store.is_known
        assert not store.is_open

        book.is_known = True

        assert store.is_known
        assert store.is_open

    def test_a_key_of_the_topic_opens_and_closes_the_door_for_others(self, keys: Path) -> None:
        store, book = KeyStore(keys, loopback=True), AccessBook(is_known=True)
        store.shared = book
        key, token = new_key(ApiScope.READ, now=NOW)

        entry = HashedKey(key.id, key)
        book.apply(key_of(entry), msgspec.json.encode(entry))

        assert store.find(token, NOW) == key
        assert not store.is_open

    def test_what_was_taken_away_in_either_place_is_taken_away(self, keys: Path) -> None:
        token = create_key(keys, ApiScope.READ, now=NOW)
        (key,) = list_keys(keys)
        store, book = KeyStore(keys, loopback=False), AccessBook(is_known=True)
        store.shared = book
        assert store.find(token, NOW) is not None

        book.apply(key_of(HashedKey(key.id)), msgspec.json.encode(HashedKey(key.id)))
        assert store.find(token, NOW) is None

        another = create_key(keys, ApiScope.READ, now=NOW)
        other = list_keys(keys)[-1]
        book.apply(key_of(HashedKey(other.id, other)), msgspec.json.encode(HashedKey(other.id, other)))
        revoke_key(keys, other.id)
        assert store.find(another, NOW) is None

    def test_the_folder_adds_what_the_topic_lacks_and_brings_nothing_back(self, keys: Path) -> None:
        for _ in range(3):
            create_key(keys, ApiScope.READ, now=NOW)
        new, shared, gone = list_keys(keys)
        revoke_key(keys, gone.id)
        book = AccessBook()
        for entry in (HashedKey(shared.id), HashedKey(gone.id, gone)):
            book.apply(key_of(entry), msgspec.json.encode(entry))

        found = book.missing(*KeyStore(keys, loopback=True).kept())

        assert found == [HashedKey(new.id, new), HashedKey(gone.id)]


class TestKeyFile:
    def test_token_is_shown_once_and_stored_as_a_hash(self, keys: Path) -> None:
        token = create_key(keys, ApiScope.READ, now=NOW, team="north", expires_at=NOW + DAY)

        (key,) = list_keys(keys)
        assert token.startswith(f"fc_{key.id}.")
        assert len(token.partition(".")[2]) >= 43
        assert (key.scope, key.team, key.created_at, key.expires_at) == (ApiScope.READ, "north", NOW, NOW + DAY)
        assert token.partition(".")[2] not in keys.read_text(encoding="utf-8")

    def test_file_is_for_its_owner_alone_and_nothing_is_left_beside_it(self, keys: Path) -> None:
        create_key(keys, ApiScope.READ, now=NOW)
        create_key(keys, ApiScope.READ, now=NOW)

        assert stat.S_IMODE(keys.stat().st_mode) == 0o600
        assert {file.name for file in keys.parent.iterdir()} <= {"keys.json", "keys.lock"}

    def test_revoked_key_is_gone_and_the_others_stay(self, keys: Path) -> None:
        for _ in range(3):
            create_key(keys, ApiScope.READ, now=NOW)
        first, second, third = list_keys(keys)

        revoke_key(keys, second.id)

        assert list_keys(keys) == [first, third]

    def test_revoking_an_unknown_key_says_so(self, keys: Path) -> None:
        with pytest.raises(UnknownKeyError, match="nothing"):
            revoke_key(keys, "nothing")

    def test_no_file_means_no_keys(self, keys: Path) -> None:
        assert not has_keys(keys)

    @pytest.mark.parametrize("content", ["", "[]", '{"keys": [{"id": 1}]}', "\0"])
    def test_broken_file_is_an_error_that_names_it(self, keys: Path, content: str) -> None:
        keys.parent.mkdir()
        keys.write_text(content, encoding="utf-8")

        with pytest.raises(KeyFileError, match=r"keys\.json"):
            has_keys(keys)


class TestKeyStore:
    def test_key_is_found_by_its_whole_token_only(self, keys: Path) -> None:
        token = create_key(keys, ApiScope.READ, now=NOW)
        store = KeyStore(keys, loopback=True)

        assert store.find(token, NOW) == list_keys(keys)[0]
        changed = [token[:-1], token + "A", token.swapcase(), token.partition(".")[0], "fc_.", "", "fc_é." + token]
        assert [store.find(other, NOW) for other in changed] == [None] * len(changed)

    def test_key_ends_at_its_expiry(self, keys: Path) -> None:
        token = create_key(keys, ApiScope.READ, now=NOW, expires_at=NOW + DAY)
        store = KeyStore(keys, loopback=True)

        assert store.find(token, NOW + DAY - 1) is not None
        assert store.find(token, NOW + DAY) is None

    def test_revocation_takes_effect_without_a_restart(self, keys: Path) -> None:
        token = create_key(keys, ApiScope.READ, now=NOW)
        create_key(keys, ApiScope.READ, now=NOW)
        store = KeyStore(keys, loopback=True)
        assert store.find(token, NOW) is not None

        revoke_key(keys, list_keys(keys)[0].id)

        assert store.find(token, NOW) is None

    def test_first_key_closes_what_was_open(self, keys: Path) -> None:
        store = KeyStore(keys, loopback=True)
        assert store.is_open

        create_key(keys, ApiScope.BOARD, now=NOW)

        assert not store.is_open

    def test_nothing_but_loopback_is_ever_open(self, keys: Path) -> None:
        assert not KeyStore(keys, loopback=False).is_open

    def test_a_key_that_the_process_was_started_with_reads_and_leaves_doors_as_they_are(self, keys: Path) -> None:
        token, sha256 = ephemeral_key()
        store = KeyStore(keys, loopback=True, verifier_sha256=sha256)
        assert store.is_open

        create_key(keys, ApiScope.BOARD, now=NOW)
        found = store.find(token, NOW)

        assert not store.is_open
        assert found is not None
        assert (found.scope, found.team, found.is_expired(NOW + 1000 * DAY)) == (ApiScope.READ, None, False)
        assert store.find(ephemeral_key()[0], NOW) is None
        assert KeyStore(keys, loopback=True).find(token, NOW) is None
        assert len(list_keys(keys)) == 1

    def test_broken_file_lets_nobody_in(self, keys: Path) -> None:
        token = create_key(keys, ApiScope.ADMIN, now=NOW)
        store = KeyStore(keys, loopback=True)
        keys.write_text("broken", encoding="utf-8")

        assert not store.is_open
        assert store.find(token, NOW) is None


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("LocalHost", True),
        ("0.0.0.0", False),  # noqa: S104 - what must not pass for loopback
        ("::", False),
        ("192.168.1.4", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine_alone(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
