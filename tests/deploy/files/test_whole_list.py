"""`--complete`: a file that is the whole list of a span, what it deletes and what it brings back."""

import json
import tracemalloc
from pathlib import Path

import pytest

from deploy.files.complete import KnownRecords, WholeSpan
from schemas.connectors import build_connector
from schemas.records import Record
from tests.builders import instant
from tests.deploy.files.imports import AS_OF, Imports, calls, folded, write


def test_a_file_that_is_the_whole_list_deletes_what_it_lacks_of_its_span(imports: Imports, tmp_path: Path) -> None:
    first = calls("a", "b") + "old,r1,outbound,2026-02-01T09:00:00Z\n"
    imports.run(["files", write(tmp_path, first), "--record", "call", "--as-of", "2026-03-19T00:00:00Z"], tmp_path)
    whole = ["--complete", "dialed_at=2026-03-01/2026-03-31"]
    second = ["files", write(tmp_path, calls("b")), "--record", "call", *AS_OF, *whole]
    outcome = imports.run(second, tmp_path)

    assert outcome is not None
    assert outcome.deleted == 1
    records = folded(imports.changes())
    assert {id for (_, id), fields in records.items() if fields.get("deleted")} == {"a"}


WHOLE = ("--complete", "dialed_at=2026-03-01/2026-03-31")


def as_of(day: int, *more: str) -> list[str]:
    return ["--record", "call", "--as-of", f"2026-03-{day}T00:00:00Z", *more]


def are_deleted(imports: Imports) -> set[str]:
    records: dict[str, Record] = {}
    for change in imports.changes():
        records.setdefault(change.id, Record(change.kind)).fold(change)
    return {id for id, record in records.items() if record.is_deleted}


@pytest.mark.parametrize("is_first", [True, False])
def test_a_whole_list_says_nothing_of_what_came_after_it(is_first: bool, imports: Imports, tmp_path: Path) -> None:
    files = [
        ["files", write(tmp_path, calls("a"), "whole.csv"), *as_of(19, *WHOLE)],
        ["files", write(tmp_path, calls("a", "b"), "later.csv"), *as_of(20)],
    ]
    for command in files if is_first else reversed(files):
        imports.run(command, tmp_path)

    assert are_deleted(imports) == set()


def test_what_a_later_whole_list_has_is_there_again(imports: Imports, tmp_path: Path) -> None:
    """Also where its line is as old as it was."""
    text = "id,rep,direction,dialed_at,changed_at\n" + "".join(
        f"{id},r1,outbound,2026-03-18T09:00:00Z,2026-03-18T10:00:00Z\n" for id in "ab"
    )
    both = write(tmp_path, text, "both.csv")
    imports.run(["files", both, "--record", "call"], tmp_path)
    imports.run(["files", write(tmp_path, calls("a")), *as_of(19, *WHOLE)], tmp_path)
    assert are_deleted(imports) == {"b"}
    imports.run(["files", both, *as_of(20)], tmp_path)
    assert are_deleted(imports) == {"b"}

    imports.run(["files", both, *as_of(21, *WHOLE)], tmp_path)

    assert are_deleted(imports) == set()
    assert "was deleted and is in the file, so there again: b" in imports.terminal.lines


def test_a_whole_list_has_what_only_leaves_out(imports: Imports, tmp_path: Path) -> None:
    text = calls("a", "b").replace("b,r1", "b,r2")
    imports.run(["files", write(tmp_path, text + calls("c").partition("\n")[2]), *as_of(18)], tmp_path)

    outcome = imports.run(["files", write(tmp_path, text), *as_of(19, "--only", "rep=r1", *WHOLE)], tmp_path)

    assert outcome is not None
    assert outcome.lines["left_out"] == 1
    assert are_deleted(imports) == {"c"}


def test_what_only_leaves_out_is_not_there_again(imports: Imports, tmp_path: Path) -> None:
    text = calls("a", "b", "c").replace("b,r1", "b,r2")
    imports.run(["files", write(tmp_path, text), *as_of(18)], tmp_path)
    imports.run(["files", write(tmp_path, calls()), *as_of(19, *WHOLE)], tmp_path)
    assert are_deleted(imports) == {"a", "b", "c"}

    imports.run(["files", write(tmp_path, text), *as_of(20, "--only", "rep=r1", *WHOLE)], tmp_path)

    assert are_deleted(imports) == {"b"}
    assert "was deleted and is in the file, so there again: a, c" in imports.terminal.lines


@pytest.mark.parametrize(("id", "field"), [("1.2E+17", "id"), ("", "id")])
def test_a_whole_list_with_a_line_that_may_be_any_record_deletes_nothing(
    id: str, field: str, imports: Imports, tmp_path: Path
) -> None:
    imports.run(["files", write(tmp_path, calls("a", "b")), *as_of(18)], tmp_path)
    text = calls("a") + f"{id},r2,outbound,2026-03-18T09:00:00Z\n"

    for more in ((), ("--only", "rep=r1")):
        outcome = imports.run(["files", write(tmp_path, text), *as_of(19, *more, *WHOLE)], tmp_path)
        assert outcome is not None
        assert {number: each.field for number, each in outcome.checked.refusals.items()} == {3: field}
        assert are_deleted(imports) == set()
    alone = imports.run(["files", write(tmp_path, text), *as_of(19, "--only", "rep=r1")], tmp_path)
    assert alone is not None
    assert (alone.exit_code, alone.lines["left_out"]) == (0, 1)  # without --complete it is nobody's doubt


@pytest.mark.parametrize(
    ("line", "deleted"),
    [
        ("r2,outbound,2026-03-29 01:30,sideways", {"a"}),  # what its id is not made of may be wrong
        ("r2,outbound,31/04/2026,connected", set()),  # this not
        ("r2,outbound,2026-10-25 02:30,connected", {"a"}),  # twice that day, as in the line that was taken
    ],
)
def test_of_a_line_that_is_left_out_its_key_alone_must_be_readable(
    line: str, deleted: set[str], imports: Imports, tmp_path: Path
) -> None:
    options = ["--key", "rep", "--key", "dialed_at", "--timezone", "Europe/Berlin"]
    head, good = "rep,direction,dialed_at,outcome\n", "r1,outbound,2026-03-30 08:00,connected\n"
    first = head + good + line.replace("sideways", "busy").replace("31/04/2026", "2026-03-30 09:00") + "\n"
    gone = "r1,outbound,2026-03-31 08:00,connected\n"
    imports.run(["files", write(tmp_path, first + gone), *as_of(18), *options], tmp_path)
    lacking = instant("2026-03-31T06:00Z")
    names = {change.id: "a" for change in imports.changes() if change.fields["dialed_at"] == lacking}
    options += ["--only", "rep=r1", "--complete", "dialed_at=2026-03-01/2026-12-31"]

    imports.run(["files", write(tmp_path, head + good + line), *as_of(19), *options], tmp_path)

    assert {names.get(id, id) for id in are_deleted(imports)} == deleted


def test_a_whole_list_of_nothing_must_say_when_it_was_true(imports: Imports, tmp_path: Path) -> None:
    imports.run(["files", write(tmp_path, calls("a")), *as_of(18)], tmp_path)

    assert imports.run(["files", write(tmp_path, calls()), "--record", "call", *WHOLE], tmp_path) is None
    assert "--as-of" in imports.terminal.lines[-1]
    imports.run(["files", write(tmp_path, calls()), *as_of(19, *WHOLE)], tmp_path)
    assert are_deleted(imports) == {"a"}


@pytest.mark.parametrize("name", ["calls.csv", "calls.ndjson"])
def test_refused_lines_are_no_whole_list(name: str, imports: Imports, tmp_path: Path) -> None:
    """Who imports them mended with the same options would delete all that was taken."""
    good = {"id": "a", "direction": "outbound", "dialed_at": "2026-03-18T09:00:00Z"}
    objects = "\n".join(map(json.dumps, [good, good | {"id": "b", "direction": "sideways"}]))
    text = calls("a") + "b,r1,sideways,2026-03-18T09:00:00Z\n" if name.endswith("csv") else objects
    imports.run(["files", write(tmp_path, text, name), *as_of(19, *WHOLE)], tmp_path)
    refused = tmp_path / f"refused.{name.partition('.')[2]}"
    refused.write_text(refused.read_text().replace("sideways", "inbound"))
    again = ["files", refused.name, "--refused", str(tmp_path / "again.csv")]

    assert imports.run([*again, *as_of(19, *WHOLE)], tmp_path) is None
    assert "--complete" in imports.terminal.lines[-1]
    outcome = imports.run([*again, *as_of(19)], tmp_path)
    assert outcome is not None
    assert (outcome.exit_code, outcome.lines["taken"]) == (0, 1)


def test_a_dry_run_names_what_would_be_deleted(imports: Imports, tmp_path: Path) -> None:
    imports.run(["files", write(tmp_path, calls("a", "b")), *as_of(18)], tmp_path)

    imports.run(["files", write(tmp_path, calls("a")), *as_of(19, "--dry-run", *WHOLE)], tmp_path)

    assert "not in the file: b" in imports.terminal.lines
    assert are_deleted(imports) == set()


def test_nothing_is_deleted_while_a_line_is_refused(imports: Imports, tmp_path: Path) -> None:
    imports.run(["files", write(tmp_path, calls("a", "b")), "--record", "call", *AS_OF], tmp_path)
    text = calls("b") + "c,r1,sideways,2026-03-18T09:00:00Z\n"
    whole = ["--complete", "dialed_at=2026-03-01/2026-03-31"]
    outcome = imports.run(["files", write(tmp_path, text), "--record", "call", *AS_OF, *whole], tmp_path)

    assert outcome is not None
    assert outcome.deleted == 0
    assert not any(change.fields.get("deleted") for change in imports.changes())


def test_of_what_is_known_only_what_is_asked_is_held(imports: Imports, tmp_path: Path) -> None:
    deals = [
        {"id": f"d{number}", "status": "open", "created_at": "2026-03-18T09:00:00Z", "attributes": {"note": "x" * 8000}}
        for number in range(200)
    ]
    name = write(tmp_path, "\n".join(map(json.dumps, deals)), "deals.ndjson")
    imports.run(["files", name, "--record", "deal", *AS_OF], tmp_path)
    assert len(imports.changes()) == len(deals)
    known = KnownRecords("files", build_connector(imports.config.connections["files"]), "deal", "created_at")

    tracemalloc.start()
    known.take(imports.log.messages)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert held < len(deals) * 4000  # bytes
    whole = WholeSpan("created_at", instant("2026-03-18T00:00Z"), instant("2026-03-19T00:00Z"))
    assert len(known.lacking(whole, [], "", instant("2026-03-21T00:00Z"))) == len(deals)
    assert known.lacking(whole, [], "", instant("2026-03-19T00:00Z")) == []
