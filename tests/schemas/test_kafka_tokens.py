"""Tokens for OAUTHBEARER: read, fetched, kept, and what is wrong said without them."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from schemas.kafka import OAuth, TokenError
from schemas.kafka_tokens import FetchedTokens, FileTokens

SECRET = "-".join(["s3cret", "of", "the", "test"])


class Issuer:
    """Answers each request with the next of its answers, as bytes of HTTP."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = list(answers)
        self.asked: list[bytes] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        self.asked.append(head + await reader.readexactly(length))
        writer.write(self._answers.pop(0))
        writer.close()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[OAuth]:
        server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            yield OAuth(None, f"http://127.0.0.1:{port}/token", "floor", SECRET, "kafka")


def http(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s" % (status, len(body), body)


async def test_a_token_is_fetched_once_and_again_before_it_runs_out() -> None:
    now = 1000.0
    issuer = Issuer(
        http(200, b'{"access_token": "one", "expires_in": 100, "token_type": "bearer"}'),
        http(200, b'{"access_token": "two", "expires_in": "100"}'),
        http(200, b'{"access_token": "three"}'),
    )
    async with issuer.serving() as oauth:
        tokens = FetchedTokens(oauth, lambda: now)
        seen = []
        for now in (1000.0, 1079.0, 1081.0, 1160.0, 1162.0, 1200.0):  # noqa: B007 - the clock reads it
            seen.append(await tokens.token())  # noqa: PERF401
    assert seen == ["one", "one", "two", "two", "three", "three"]

    head, _, body = issuer.asked[0].partition(b"\r\n\r\n")
    assert body == b"grant_type=client_credentials&scope=kafka"
    shown = next(line.split()[2] for line in head.split(b"\r\n") if line.lower().startswith(b"authorization:"))
    assert b64decode(shown).decode() == f"floor:{SECRET}"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (http(401, b'{"error": "invalid_client"}'), "refuses the client of FLOORCAST_KAFKA_CLIENT_ID (401)"),
        (http(503, b"later"), "answers 503, and no token"),
        (http(200, b"<html>"), "answers 200, and no token"),
        (http(200, b"[]"), "answers 200, and no token"),
        (http(200, b'{"access_token": 7}'), "there is no token"),
        (http(200, b'{"access_token": "a b"}'), "there is no token"),
        (http(200, b'{"access_token": "a\\u0001auth=b"}'), "there is no token"),
        (http(200, b" " * 70_000), "the answer is too large"),
        (b"", "no token can be fetched there (RemoteProtocolError)"),
    ],
)
async def test_what_is_no_token_is_told_by_its_setting(answer: bytes, words: str) -> None:
    async with Issuer(answer).serving() as oauth:
        with pytest.raises(TokenError) as told:
            await FetchedTokens(oauth).token()
    assert str(told.value) == f"FLOORCAST_KAFKA_SASL_OAUTH_TOKEN_URL: {words}"


async def test_a_file_is_read_each_time(tmp_path: Path) -> None:
    file = tmp_path / "token"
    tokens = FileTokens(file)
    for text in ("one\n", "two"):
        file.write_text(text)
        assert await tokens.token() == text.strip()
    file.write_text("")
    with pytest.raises(TokenError, match="FLOORCAST_KAFKA_SASL_OAUTH_TOKEN_FILE: there is no token"):
        await tokens.token()
    file.unlink()
    with pytest.raises(TokenError, match=r"no token can be read there \(FileNotFoundError\)"):
        await tokens.token()
