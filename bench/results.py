"""What a bench has measured, as JSON in a folder that is not committed: one file for each section of the page.

Owns the shape and the folder. `bench.report` makes `docs/performance.md` from whatever lies there. A bench builds a
`Section` and saves it:

    save(Section("ingest", "Ingest", "Requests a second while …", [
        Result("floorcast", "POST, acknowledged by Kafka", "python -m bench ingest", "requests/s", [5100.0, 5230.0],
               bars=[Bar(against="empty endpoint", at_least=0.5)]),
        Result("empty endpoint", "uvicorn, a POST that answers 202", "python -m bench ingest", "requests/s", [9800.0]),
    ]))
"""

from pathlib import Path

import msgspec

FOLDER = Path(__file__).parent.parent / ".bench"


class Bar(msgspec.Struct, omit_defaults=True):
    """What a figure has to reach: by itself, or as a ratio to another result of the same section."""

    against: str = ""
    """Name of the other result. Its n-th run is compared with our n-th: they ran one after the other."""
    at_least: float | None = None
    at_most: float | None = None


class Result(msgspec.Struct, omit_defaults=True):
    """One figure, with the runs that it comes from."""

    name: str
    what: str
    command: str
    unit: str
    runs: list[float]
    """In the order of running; empty: there is no figure, and `note` says why."""
    bars: list[Bar] = []
    note: str = ""


class Section(msgspec.Struct, omit_defaults=True):
    """One part of the page."""

    slug: str
    title: str
    text: str
    """Markdown: what is measured, and how. Stands before the figures."""
    results: list[Result] = []
    after: str = ""
    """Markdown after the figures: what they mean, plots."""
    folded: bool = False
    """The figures are many, and stand behind a line that opens them; plots show them."""
    short: bool = False
    """Made by a short form: a proof that it runs, not a figure."""


def save(section: Section, folder: Path = FOLDER) -> None:
    """Keep a section, in place of an earlier one of that name."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{section.slug}.json").write_bytes(msgspec.json.format(msgspec.json.encode(section)))


def load(folder: Path = FOLDER) -> dict[str, Section]:
    """All that is there, by slug."""
    decode = msgspec.json.Decoder(Section).decode
    return {path.stem: decode(path.read_bytes()) for path in sorted(folder.glob("*.json"))}
