"""Options that would read what was refused, with how many lines each would: for a person to choose from.

Owns what is tried. Nothing is read by a proposal: an order of day and month that fits every line may still be the wrong
one. Pure.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from deploy.files.cells import read_amount, read_duration
from deploy.files.dates import date_format, read_moment
from deploy.files.problems import CellError

_DAYS = (
    "DD/MM/YYYY", "MM/DD/YYYY", "DD.MM.YYYY", "DD-MM-YYYY", "MM-DD-YYYY", "YYYY/MM/DD", "DD-MM-YY", "MM/DD/YY",
    "DD/MM/YY", "DD.MM.YY", "D/M/YYYY", "M/D/YYYY", "D.M.YYYY", "DD MMM YYYY", "D MMM YYYY", "YYYYMMDD",
)  # fmt: skip
_TIMES = ("", " HH:mm", " HH:mm:ss", " H:mm", " hh:mm A", " h:mm A", " hh:mm:ss A")
_FORMATS = (*(day + time for time in _TIMES for day in _DAYS), "epoch", "epoch-ms", "excel")
_SHOWN = 4


def proposals(texts: Mapping[tuple[str, str], Counter[str]]) -> list[str]:
    """A line for each option that would read something. `texts`: (field, kind of repair) -> cells, how often each."""
    found: list[str] = []
    for (field, repair), cells in sorted(texts.items()):
        found += _of(field, repair, cells)
    return list(dict.fromkeys(found))


def _of(field: str, repair: str, cells: Counter[str]) -> Iterator[str]:
    if repair == "date":
        yield from _counted({f"--date-format {field}='{form}'": _dates(cells, form) for form in _FORMATS})
    elif repair in {"decimal", "sign"}:
        yield from _counted({f"--decimal '{sign}'": _amounts(cells, sign) for sign in ".,"})
        yield from (
            f"--value currency.CODE='{sign}': {_lines(count)}" for sign, count in _signs(cells).most_common(_SHOWN)
        )
    elif repair == "duration":
        yield from _counted({f"--duration-format {form}": _durations(cells, form) for form in ("mm:ss", "hh:mm")})
    else:
        begin = {"word": f"--value {field}.WORD=", "null": "--null ", "rep": "reps.ID.aliases.CONNECTION: "}[repair]
        yield from (f"{begin}{text!r}: {_lines(count)}" for text, count in cells.most_common(_SHOWN))


def _counted(options: Mapping[str, int]) -> Iterator[str]:
    best = Counter({option: count for option, count in options.items() if count}).most_common(_SHOWN)
    return (f"{option}: {_lines(count)}" for option, count in best)


def _lines(count: int) -> str:
    return f"would read {count} line{'s' if count != 1 else ''}"


def _dates(cells: Counter[str], form: str) -> int:
    compiled = date_format(form)
    return _readable(cells, lambda text: read_moment(text, compiled))


def _amounts(cells: Counter[str], sign: str) -> int:
    return _readable(cells, lambda text: read_amount(text, sign, dict.fromkeys(_signs(Counter([text])), "XXX")))


def _durations(cells: Counter[str], form: str) -> int:
    return _readable(cells, lambda text: read_duration(text, form, None))


def _signs(cells: Counter[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for text, count in cells.items():
        sign = text.casefold().strip("0123456789.,+-() '\u00a0\u202f\u2009\u2019\u2212")
        if sign and not any(letter.isdigit() for letter in sign):
            found[sign] += count
    return found


def _readable(cells: Counter[str], read: Callable[[str], object]) -> int:
    return sum(count for text, count in cells.items() if _reads(read, text))


def _reads(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except CellError:
        return False
    return True
