"""Names of files below `media/`, and what pictures and sounds are."""

import pytest

from schemas.media import is_media_name, photo_address, picture_type, sound_type


@pytest.mark.parametrize("name", ["ana.jpg", "people/ana lim.png", "آنا.webp"])
def test_a_file_below_media_may_be_named(name: str) -> None:
    assert is_media_name(name)


@pytest.mark.parametrize(
    "name",
    ["", " ", "../a.png", "a/../../b", "/etc/passwd", "a\\b", ".hidden", "a/.git", "a//b", "https://x/a.png", "a?b",
     "a\nb", "a%2fb", "C:a"],
)  # fmt: skip
def test_nothing_else_may(name: str) -> None:
    assert not is_media_name(name)


def test_a_photo_has_one_address_whatever_the_id() -> None:
    assert photo_address("r/17 ä") == "/photos/r%2F17%20%C3%A4"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0....", "image/jpeg"),
        (b"GIF89a......", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"<svg xmlns=...", None),
        (b"<html>", None),
        (b"", None),
    ],
)
def test_a_picture_is_what_its_bytes_say(head: bytes, kind: str | None) -> None:
    assert picture_type(head) == kind


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"ID3\x04........", "audio/mpeg"),
        (b"\xff\xfb\x90\x00", "audio/mpeg"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"OggS\x00.......", "audio/ogg"),
        (b"fLaC.......", "audio/flac"),
        (b"\x00\x00\x00\x20ftypM4A ", "audio/mp4"),
        (b"MZ", None),
    ],
)
def test_a_sound_is_what_its_bytes_say(head: bytes, kind: str | None) -> None:
    assert sound_type(head) == kind
