"""The files below `media/` beside floorcast.yaml: read, with their bounds, and checked before anything serves them.

Owns the way to them. A name that leads out of the folder, by whatever way, names nothing.
"""

import io
from collections.abc import Iterator
from pathlib import Path

from tinytag import TinyTag, TinyTagException

from schemas.config.whole import Config
from schemas.documents.text import read_document
from schemas.media import (
    FOLDER,
    MAX_BYTES,
    MAX_SOUND_SECONDS,
    PICTURE_TYPES,
    is_media_name,
    picture_type,
    sound_type,
)


class MediaError(Exception):
    """A file is not what it is to be; in words."""

    def __init__(self, *words: str) -> None:
        super().__init__(" ".join(words))


def read_media(config_file: Path, name: str) -> bytes:
    """What is in a file below `media/`. Raises MediaError."""
    folder = (config_file.parent / FOLDER).resolve()
    path = (folder / name).resolve()
    if not is_media_name(name) or not path.is_relative_to(folder) or not path.is_file():
        raise MediaError("there is no file", repr(name), f"below {FOLDER}/")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise MediaError(repr(name), f"cannot be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise MediaError(repr(name), "is larger than 1 MiB")
    return content


def read_picture(config_file: Path, name: str) -> tuple[bytes, str]:
    """A picture and its type. Raises MediaError."""
    content = read_media(config_file, name)
    kind = picture_type(content)
    if kind is None:
        among = ", ".join(kind.removeprefix("image/") for kind in PICTURE_TYPES)
        raise MediaError(repr(name), f"is none of {among}")
    return content, kind


def read_sound(config_file: Path, name: str) -> tuple[bytes, str]:
    """A sound and its type. Raises MediaError."""
    content = read_media(config_file, name)
    kind = sound_type(content)
    if kind is None:
        raise MediaError(repr(name), "is no MP3, WAV, Ogg, FLAC or M4A")
    return content, kind


def sound_seconds(name: str, content: bytes) -> float:
    """How long a sound is. Raises MediaError where that cannot be told."""
    try:
        duration = TinyTag.get(filename=name, file_obj=io.BytesIO(content), tags=False).duration
    except (TinyTagException, OSError, ValueError, KeyError, IndexError) as error:
        raise MediaError(repr(name), f"cannot be read as a sound ({type(error).__name__})") from None
    if not duration:
        raise MediaError(repr(name), "does not say how long it is")
    return float(duration)


def media_problems(config_file: Path, config: Config) -> list[str]:
    """Sounds that cannot be played as configured: a line each, with file, line and field."""
    found = [
        (("screens", screen, "sound", "files", cause), reason)
        for screen, entry in config.screens.items()
        for cause, name in entry.sound.files.items()
        for reason in _wrong_sound(config_file, name)
    ]
    if not found:
        return []
    document = read_document(config_file.read_text("utf-8"), str(config_file))
    return [document.problem(place, reason) for place, reason in found]


def _wrong_sound(config_file: Path, name: str) -> Iterator[str]:
    try:
        content, _ = read_sound(config_file, name)
        seconds = sound_seconds(name, content)
    except MediaError as error:
        yield str(error)
    else:
        if seconds > MAX_SOUND_SECONDS:
            yield f"{name!r} takes {seconds:.1f} s: at most {MAX_SOUND_SECONDS:g} s are played"


def media_remarks(config_file: Path, config: Config) -> list[str]:
    """Pictures that are not shown, since there is none: a line each, naming the field."""
    found = []
    for rep, entry in config.reps.items():
        if entry.photo is not None:
            try:
                read_picture(config_file, entry.photo)
            except MediaError as error:
                found.append(f"reps.{rep}.photo: {error}, so none is shown")
    return found
