"""What is wrong with a file that somebody wrote: one line for each problem, with a suggestion where there is one.

Owns the exception and the wording of suggestions. Finds no problem itself.
"""

from collections.abc import Iterable
from difflib import get_close_matches

from pydantic_core import PydanticCustomError

MAX_NAMED = 30
"""More names than this are not told to somebody who misspelt one."""


class ConfigError(Exception):
    """The file cannot be used. One line per problem, each naming file, line and field."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant; None: no name is near."""
    names = {each.casefold(): each for each in known}
    found = get_close_matches(name.casefold(), names, n=1, cutoff=0.6)
    return names[found[0]] if found else None


def suggestion(name: str, known: Iterable[str]) -> str:
    """What to write behind "there is no …": the name that was probably meant, else those that there are."""
    names = list(known)
    meant = nearest(name, names)
    if meant is not None:
        return f"; did you mean {meant!r}?"
    if not 0 < len(names) <= MAX_NAMED:
        return ""
    return f"; there are {', '.join(' '.join(each.split()) for each in names)}"  # a problem is one line


def wrong(reason: str) -> PydanticCustomError:
    """An error of one value, for a validator to raise: the reason is told as it is."""
    return PydanticCustomError("written", "{reason}", {"reason": reason})
