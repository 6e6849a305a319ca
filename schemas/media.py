"""Files of your own that screens show or play: names below `media/` beside floorcast.yaml, and what may be in them.

Owns the rule of the names and the bounds. Opens nothing (schemas/config/media_files.py).
"""

from pathlib import PurePosixPath
from urllib.parse import quote

FOLDER = "media"
MAX_BYTES = 1 << 20
MAX_SOUND_SECONDS = 10.0

PICTURE_TYPES = ("image/png", "image/jpeg", "image/webp", "image/gif")


def is_media_name(name: str) -> bool:
    """Whether a name is one of a file below `media/`, and cannot lead anywhere else."""
    path = PurePosixPath(name)
    return (
        bool(name.strip())
        and name.isprintable()
        and not any(character in name for character in "\\:?#%")
        and not path.is_absolute()
        and not any(part == ".." or part.startswith(".") for part in name.split("/"))
        and "" not in name.split("/")
    )


def photo_address(rep: str) -> str:
    """Where the api serves somebody's picture."""
    return f"/photos/{quote(rep, safe='')}"


def photo_of(rep: str, photo: str | None) -> str | None:
    """Where somebody's picture is served; None: there is none, or what a CRM calls one lies elsewhere."""
    return photo_address(rep) if photo is not None and is_media_name(photo) else None


def picture_type(head: bytes) -> str | None:
    """What a picture is, by its first bytes and whatever it is called; None: nothing that is served."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head[:6] in {b"GIF87a", b"GIF89a"}:
        return "image/gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return None


def sound_type(head: bytes) -> str | None:
    """What a sound is, by its first bytes; None: nothing that is served."""
    if head.startswith(b"ID3") or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 in {0xE2, 0xE4, 0xE6}):
        return "audio/mpeg"
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "audio/wav"
    if head.startswith(b"OggS"):
        return "audio/ogg"
    if head.startswith(b"fLaC"):
        return "audio/flac"
    if head[4:8] == b"ftyp":
        return "audio/mp4"
    return None
