"""The file of refused lines, which is imported again once it is corrected.

Owns its form: that of the file, with the number of each line and why it was refused behind it.
"""

import csv
import json
from collections.abc import Iterable, Mapping
from io import StringIO
from pathlib import Path

from deploy.files.checking import Refusal
from deploy.files.header import Layout
from deploy.files.lines import FileLine

NUMBER, WHY = "refused line", "refused because"
ENDINGS = frozenset({".ndjson", ".jsonl", ".json"})
"""Files of objects, one a line."""


def write_refused(
    path: Path,
    lines: Iterable[FileLine],
    refusals: Mapping[int, Refusal],
    *,
    layout: Layout | None,
    encoding: str,
    skip: int,
) -> list[Path]:
    """Write the refused ones of these lines; which files that made. `skip`: empty lines that go before the header.

    Of a file of objects there are two: a table to read, and the objects to import again.
    """
    refused = ((line, refusals[line.number]) for line in lines if line.number in refusals)
    if layout is not None:
        _write_cells(path, refused, layout, encoding, skip)
        return [path]
    objects = path.with_suffix(".ndjson")
    with path.open("w", encoding="utf-8", newline="") as table, objects.open("w", encoding="utf-8") as again:
        writer = csv.writer(table)
        writer.writerow(["text", NUMBER, WHY])
        for line, refusal in refused:
            writer.writerow([line.text, refusal.number, _why(refusal)])
            said = {NUMBER: refusal.number, WHY: _why(refusal)}
            again.write(_with(line, said) + "\n")
    return [path, objects]


def _write_cells(
    path: Path, refused: Iterable[tuple[FileLine, Refusal]], layout: Layout, encoding: str, skip: int
) -> None:
    with path.open("w", encoding=encoding, newline="", errors="replace") as file:
        file.write("\n" * skip)
        writer = csv.writer(file, delimiter=layout.delimiter, lineterminator="\n")
        if layout.names:
            writer.writerow([*layout.names, NUMBER, WHY])
        for line, refusal in refused:
            if line.problem is None:
                writer.writerow([*line.cells, refusal.number, _why(refusal)])
                continue
            # As it stands there: whoever mends it sees what it was.
            cells = StringIO()
            csv.writer(cells, delimiter=layout.delimiter, lineterminator="").writerow([refusal.number, _why(refusal)])
            file.write(f"{line.text}{layout.delimiter}{cells.getvalue()}\n")


def _with(line: FileLine, said: Mapping[str, object]) -> str:
    if line.problem is not None:
        return line.text
    # The object itself stays as it was written.
    return f"{line.text.rstrip()[:-1]}, {json.dumps(said)[1:-1]}}}"


def _why(refusal: Refusal) -> str:
    return f"{refusal.field}: {refusal.why}"
