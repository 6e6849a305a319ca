"""Bytes that nobody foresaw, from bytes that somebody wrote: a small mutator, the same for the same seed."""

from collections.abc import Sequence
from random import Random

MOST_BYTES = 64 * 1024
_NUMBERS = (
    b"\x00", b"\x7f", b"\x80", b"\xff", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00", b"\xff" * 8,
)  # fmt: skip
_TEXTS = (
    b"", b"0", b"-1", b"1e400", b"NaN", b"null", b"[]", b"{}", b'"', b"\\", b"\\ud800", b"\xed\xa0\x80", b"\xc3",
    b"\x00", b"\r\n", b"\n", b" ", b":", b"- ", b"&a ", b"*a", b"<<: *a", b"!!python/object:os.system", b"9" * 40,
    b"[" * 200, b"18446744073709551616", b"-9223372036854775809", "٣٤".encode(), "\u202e".encode(),
)  # fmt: skip


def mutated(corpus: Sequence[bytes], random: Random) -> bytes:
    """One of the corpus, changed once to eight times; rarely as it is."""
    data = bytearray(random.choice(corpus))
    for _ in range(random.choice((0, 1, 1, 1, 2, 2, 3, 4, 8))):
        _change(data, corpus, random)
    return bytes(data[:MOST_BYTES])


def _change(data: bytearray, corpus: Sequence[bytes], random: Random) -> None:
    at = random.randint(0, len(data))
    until = min(len(data), at + random.choice((1, 1, 2, 4, 8, 64)))
    match random.randrange(9):
        case 0 if at < len(data):
            data[at] ^= 1 << random.randrange(8)
        case 1 if at < len(data):
            data[at] = random.randrange(256)
        case 2:
            del data[at:until]
        case 3:
            data[at:at] = data[at:until] * random.choice((1, 2, 50))
        case 4:
            data[at:until] = random.choice(_NUMBERS)
        case 5:
            data[at:at] = random.choice(_TEXTS)
        case 6:
            other = random.choice(corpus)
            begin = random.randint(0, len(other))
            data[at:until] = other[begin : begin + random.choice((1, 4, 16, 256))]
        case 7:
            del data[at:]
        case _:
            data[at:until] = random.randbytes(until - at)
