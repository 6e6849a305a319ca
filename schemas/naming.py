"""What people and leads are called where not everybody may know them: the rule of `names`, and ids that say nothing.

Owns the four ways of calling somebody. Who is left out altogether is decided where it is shown
(api/read/discretion.py). Pure.
"""

import re
from collections.abc import Iterable
from hashlib import blake2b
from typing import Literal, get_args

NameStyle = Literal["full", "first", "alias", "none"]

STRICTNESS: tuple[NameStyle, ...] = get_args(NameStyle)
"""From the setting that says most to the one that says nothing."""

_SUFFIXES = frozenset({"jr", "sr", "ii", "iii", "iv", "phd", "ph.d", "md", "m.d", "mba", "esq", "cpa"})
"""What stands behind a comma and is no first name."""
_SURNAME_FIRST = re.compile(r"[\u4e00-\u9fff\uac00-\ud7a3]{2,}")
"""Names of Chinese and Korean signs alone: nothing need stand between surname and the rest."""
_DOUBLE_SURNAMES = (
    "欧阳", "歐陽", "司马", "司馬", "上官", "诸葛", "諸葛",
    "东方", "東方", "皇甫", "尉迟", "尉遲", "公孙", "公孫",
    "令狐", "慕容", "司徒",
)  # fmt: skip
_TWO_AND_TWO = 4
"""Signs of a name whose first two are the surname, or two of them."""

_SYLLABLES = [first + vowel for first in "bdfgklmnprstvz" for vowel in "aeiou"]


def strictest(settings: Iterable[NameStyle]) -> NameStyle:
    """The one that says least; `full` of none."""
    return max(settings, key=STRICTNESS.index, default="full")


def called(names: NameStyle, rep: str | None, name: str | None) -> str | None:
    """What a person of that id and name is called; None: they are not named."""
    if rep is None:
        return name
    match names:
        case "full":
            return name
        case "first":
            return first_name(name or rep)
        case "alias":
            return alias(rep)
        case "none":
            return None


def lead_called(names: NameStyle, name: str | None) -> str | None:
    """What a lead is called whom the CRM calls so: a lead is a person as well."""
    if name is None or names == "full":
        return name
    return first_name(name) if names == "first" else None


def id_told(names: NameStyle, rep: str | None) -> str | None:
    """A person's id: where their name is not told in full, one that says nothing (ids are often mail addresses)."""
    if rep is None or names == "full":
        return rep
    return "p-" + blake2b(rep.encode(), digest_size=6, person=b"rep").hexdigest()


def without_person(id: str) -> str:
    """The same for the same: names of alerts and goals hold the id of the person whose they are."""
    return "x-" + blake2b(id.encode(), digest_size=8, person=b"id").hexdigest()


def first_name(name: str) -> str:
    """Without surname, and without what a mail address says beside it."""
    text = name.partition("@")[0] if "@" in name else name
    surname, _, after = text.partition(",")
    if after.strip():
        text = surname if after.strip().rstrip(".").casefold() in _SUFFIXES else after
    parts = re.split(r"[\s._]+" if "@" in name else r"\s+", text.strip())
    if not _SURNAME_FIRST.fullmatch("".join(parts)):
        return parts[0]
    if len(parts) > 1:
        return parts[-1]
    is_double = len(parts[0]) == _TWO_AND_TWO or parts[0].startswith(_DOUBLE_SURNAMES)
    return parts[0][2 if is_double else 1 :] or parts[0]


def alias(rep: str) -> str:
    """A made-up word, the same for the same person everywhere."""
    digest = blake2b(rep.encode(), digest_size=8, person=b"alias").digest()
    word = "".join(_SYLLABLES[byte % len(_SYLLABLES)] for byte in digest[:4])
    return word.capitalize()
