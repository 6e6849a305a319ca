"""Files below `media/`: what leads out of it, is too large or too long, or is none, is refused in words."""

import io
import wave
from pathlib import Path

import pytest

from schemas.config import Config, load_config
from schemas.config.media_files import MediaError, media_problems, media_remarks, read_media, read_picture, read_sound

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20
FLOOR = """organisation: {name: Acme, timezone: UTC, currency: USD}
connections: {feed: {kind: generic, secrets: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}}
reps: {r1: {photo: ana.png}}
screens:
  floor:
    scenes: [{name: Wins, tiles: [{kind: wins}]}]
    sound: {on: true, files: {deal_won: gong.wav}}
"""


def wav(seconds: float) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writing:
        writing.setnchannels(1)
        writing.setsampwidth(1)
        writing.setframerate(8000)
        writing.writeframes(b"\x80" * int(8000 * seconds))
    return file.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "ana.png").write_bytes(PNG)
    (tmp_path / "media" / "gong.wav").write_bytes(wav(2))
    (tmp_path / "secret.png").write_bytes(PNG)
    (tmp_path / "floorcast.yaml").write_text(FLOOR)
    return tmp_path


def configured(folder: Path) -> tuple[Path, Config]:
    path = folder / "floorcast.yaml"
    return path, load_config(path, {})


def test_what_is_there_is_read(folder: Path) -> None:
    path, config = configured(folder)

    assert read_picture(path, "ana.png") == (PNG, "image/png")
    assert read_sound(path, "gong.wav")[1] == "audio/wav"
    assert media_problems(path, config) == []
    assert media_remarks(path, config) == []


@pytest.mark.parametrize("name", ["../secret.png", "out.png", "/etc/hostname", "ana.gif", "sub", "folder/secret.png"])
def test_nothing_outside_of_the_folder_is_read(folder: Path, name: str) -> None:
    (folder / "media" / "out.png").symlink_to(folder / "secret.png")
    (folder / "media" / "folder").symlink_to(folder)
    (folder / "media" / "sub").mkdir()

    with pytest.raises(MediaError, match="there is no file"):
        read_media(folder / "floorcast.yaml", name)


def test_a_link_within_the_folder_is_read(folder: Path) -> None:
    (folder / "media" / "r1.png").symlink_to(folder / "media" / "ana.png")

    assert read_media(folder / "floorcast.yaml", "r1.png") == PNG


def test_a_picture_that_is_something_else_or_too_large_is_remarked_on(folder: Path) -> None:
    path, config = configured(folder)
    (folder / "media" / "ana.png").write_bytes(b"<svg onload=alert(1)>")
    assert media_remarks(path, config) == ["reps.r1.photo: 'ana.png' is none of png, jpeg, webp, gif, so none is shown"]

    (folder / "media" / "ana.png").write_bytes(PNG + bytes(1 << 20))
    assert media_remarks(path, config) == ["reps.r1.photo: 'ana.png' is larger than 1 MiB, so none is shown"]


def problem(folder: Path, content: bytes | None) -> str:
    file = folder / "media" / "gong.wav"
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    (found,) = media_problems(*configured(folder))
    prefix = f"{folder}/floorcast.yaml:7: screens.floor.sound.files.deal_won: "
    assert found.startswith(prefix)
    return found.removeprefix(prefix)


def test_a_sound_is_checked_and_named_by_file_line_and_field(folder: Path) -> None:
    assert problem(folder, wav(10.5)) == "'gong.wav' takes 10.5 s: at most 10 s are played"
    assert problem(folder, bytes(1 << 21)) == "'gong.wav' is larger than 1 MiB"
    assert problem(folder, b"RIFF\0\0\0\0WAVEgarbage") == "'gong.wav' does not say how long it is"
    assert problem(folder, b"#!/bin/sh") == "'gong.wav' is no MP3, WAV, Ogg, FLAC or M4A"
    assert problem(folder, None) == "there is no file 'gong.wav' below media/"
