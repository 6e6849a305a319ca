"""From the bytes of a file to its lines of text: encodings and byte order marks.

Owns the rule that an encoding is told, or is UTF-8, or stands in a byte order mark: it is never guessed.
"""

import codecs
from collections.abc import Iterator
from pathlib import Path

from deploy.files.problems import UseError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PACKED = (
    (b"PK\x03\x04", "is a workbook (.xlsx) or another zip archive: save its sheet as CSV, or unpack it"),
    (b"\xd0\xcf\x11\xe0", "is a workbook (.xls): save its sheet as CSV"),
    (b"\x1f\x8b", "is compressed by gzip: unpack it"),
)
"""How what is no text begins, and what to do with it."""
_SAMPLE = 1 << 16
_NUL_EACH = 8
"""Text in UTF-16 has a zero byte in most of its characters; elsewhere a zero byte is a fault of its line."""
_PROPOSED = 3


def encoding_of(path: Path, said: str | None) -> str:
    """The encoding of a file: as said, else by its mark, else UTF-8. Raises UseError, also for what is no text."""
    try:
        with path.open("rb") as file:
            begin = file.read(_SAMPLE)
    except OSError as error:
        raise UseError([f"{path}: cannot be read: {error.strerror}"]) from None
    if not begin:
        raise UseError([f"{path}: is empty"])
    for mark, what in _PACKED:
        if begin.startswith(mark):
            raise UseError([f"{path}: {what}"])
    if said is not None:
        try:
            name = codecs.lookup(said).name
        except LookupError:
            raise UseError([f"--encoding: there is no encoding {said!r}"]) from None
        return "utf-8-sig" if name == "utf-8" else name
    found = next((encoding for mark, encoding in _MARKS if begin.startswith(mark)), "utf-8")
    if found == "utf-8" and begin.count(0) * _NUL_EACH > len(begin):
        raise UseError([f"{path}: holds NUL bytes, so it is not UTF-8: try --encoding utf-16-le or utf-16-be"])
    return found


def read_lines(path: Path, encoding: str) -> Iterator[str]:
    """The lines of a file with their ends. Raises UseError at the first that is not in this encoding."""
    try:
        with path.open(encoding=encoding, newline="") as file:
            yield from file
    except UnicodeError:
        raise UseError([*_not_in(path, encoding)]) from None
    except OSError as error:
        raise UseError([f"{path}: cannot be read: {error.strerror}"]) from None


def _not_in(path: Path, encoding: str) -> Iterator[str]:
    number, line = _first_bad_line(path, encoding)
    where = f"{path}: line {number}" if number else f"{path}"
    yield f"{where}: is not {'UTF-8' if encoding.startswith('utf-8') else encoding}"
    proposed = _proposals(line)
    if proposed:
        yield f"say --encoding; it could be {' or '.join(proposed)}"


def _first_bad_line(path: Path, encoding: str) -> tuple[int, bytes]:
    if encoding.startswith(("utf-16", "utf-32")):
        return 0, b""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode(encoding)
            except UnicodeError:
                return number, line + file.read(_SAMPLE)
    return 0, b""


def _proposals(sample: bytes) -> list[str]:
    """Encodings in which it can be read, the likely ones first: to be tried by a person."""
    if sample and _reads(sample, "utf-8"):  # another encoding was told
        return ["utf-8"]
    from charset_normalizer import from_bytes  # noqa: PLC0415 - only where something is wrong

    likely = [match.encoding.replace("_", "-") for match in from_bytes(sample)] if sample else []
    found = list(dict.fromkeys(["cp1252", *likely])) if _reads(sample, "cp1252") else likely
    return [encoding for encoding in found if not encoding.startswith("utf")][:_PROPOSED]


def _reads(sample: bytes, encoding: str) -> bool:
    """Whether it can be read, but for a character that is cut at its end."""
    try:
        codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeError:
        return False
    return bool(sample)
