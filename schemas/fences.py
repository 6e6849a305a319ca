"""What stands in a fence: who has taken a partition, and by which definitions they write from there on.

Owns the form of the value. An owner writes it under the key `FENCE` (schemas/topics.py) before anything of their own.
"""


def encode_fence(identity: tuple[int, int], definitions: str = "") -> bytes:
    """`producer id/epoch`, and the digest of the definitions where what comes after is derived by some."""
    return b"%d/%d" % identity + (b" " + definitions.encode() if definitions else b"")


def definitions_in(fence: bytes | None) -> str:
    """The digest that a fence names; empty: none."""
    return (fence or b"").partition(b" ")[2].decode("ascii", "replace")
