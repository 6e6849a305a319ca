"""Imports beyond the cases: going on after a stop, people, what was refused, any bytes."""

import asyncio
import csv
import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deploy.files.cells import read_amount
from deploy.files.stages import FileStages
from tests.builders import instant
from tests.deploy.files.imports import AS_OF, CONFIG, Imports, Log, calls, folded, write


def test_what_no_object_of_a_file_has_is_no_column_and_clears_nothing(imports: Imports, tmp_path: Path) -> None:
    """What webhooks set stays, where the file does not speak of it; a member that others have is an empty cell."""
    lines = [
        {"id": "1", "rep": "r1", "direction": "outbound", "dialed_at": "2026-03-18T09:00:00Z", "Outcome": "connected"},
        {"id": "2", "rep": "r1", "direction": "outbound", "dialed_at": "2026-03-18T09:00:00Z"},
    ]
    name = write(tmp_path, "\n".join(map(json.dumps, lines)), "calls.ndjson")

    imports.run(["files", name, "--record", "call", *AS_OF], tmp_path)

    said = folded(imports.changes())
    assert said["call", "1"].keys() == {"rep", "direction", "dialed_at", "outcome"}
    assert said["call", "2"]["outcome"] is None


LEARNED = FileStages(
    labels={
        "default": {"": "Sales Pipeline", "contractsent": "Contract Sent", "closedwon": "Closed Won", "71": "On hold"},
        "9": {"": "Partners", "81": "Signed", "82": "On hold"},
    },
    statuses={"contractsent": "open", "closedwon": "won", "71": "open", "81": "won", "82": "open"},
)
EXPORT = """\
Record ID,Deal Name,Deal Stage,Pipeline,Deal owner,Amount,Close Date
501,A,contract sent ,Sales Pipeline,Ben,100,2026-03-18
502,B,Closed Won,Sales Pipeline,Ben,200,2026-03-18
503,C,On hold,Partners,Ben,300,2026-06-30
504,D,81,9,Ben,400,2026-03-19
505,E,Gone,Partners,Ben,500,2026-06-30
"""
MAPPED = (
    "--record", "deal", "--map", "id=Record ID", "--map", "stage=Deal Stage", "--map", "rep=Deal owner",
    "--map", "closed_at=Close Date", "--rep-by", "name", *AS_OF,
)  # fmt: skip


def test_an_export_that_names_stages_and_pipelines_speaks_of_those_of_the_webhooks(
    imports: Imports, tmp_path: Path
) -> None:
    """The API has told what they are called; one that it did not tell of is named and counted."""
    imports.stages = LEARNED

    outcome = imports.run(["crm", write(tmp_path, EXPORT), *MAPPED], tmp_path)

    assert outcome is not None
    assert (outcome.exit_code, outcome.lines["taken"]) == (0, 5)
    said = folded(imports.changes())
    found = {id: tuple(deal.get(name) for name in ("pipeline", "stage", "status")) for (_, id), deal in said.items()}
    assert found == {
        "hs:501": ("default", "contractsent", "open"),
        "hs:502": ("default", "closedwon", "won"),
        "hs:503": ("9", "82", "open"),
        "hs:504": ("9", "81", "won"),
        "hs:505": ("9", "Gone", None),
    }
    assert "stage: 'Gone' has no meaning here: 1 lines" in imports.terminal.lines


def test_a_label_of_stages_that_are_the_same_in_all_pipelines_is_known_too(imports: Imports, tmp_path: Path) -> None:
    labels = {"": {"Prospecting": "Erstkontakt", "Closed Won": "Closed Won"}}
    statuses = {"Prospecting": "open", "Erstkontakt": "open", "Closed Won": "won"}
    imports.stages = FileStages(labels=labels, statuses=statuses)
    lines = "id,stage,pipeline,closed_at\n1,erstkontakt,0125,\n2,Erstkontakt,,\n3,Closed Won,0125,2026-03-18\n"

    imports.run(["crm", write(tmp_path, lines), "--record", "deal", *AS_OF], tmp_path)

    said = folded(imports.changes())
    assert [(deal["stage"], deal["status"]) for deal in said.values()] == [
        ("Prospecting", "open"), ("Prospecting", "open"), ("Closed Won", "won"),
    ]  # fmt: skip


def test_a_label_of_two_pipelines_is_no_stage_until_a_pipeline_is_named(imports: Imports, tmp_path: Path) -> None:
    imports.stages = LEARNED

    imports.run(["crm", write(tmp_path, EXPORT.replace(",Pipeline,", ",x,")), *MAPPED], tmp_path)

    said = folded(imports.changes())
    assert [said["deal", f"hs:{id}"].get("stage") for id in (501, 503)] == ["contractsent", "On hold"]
    assert "stage: 'On hold' has no meaning here: 1 lines" in imports.terminal.lines


def test_without_an_api_the_stages_that_nobody_knows_are_listed_and_told_by_options_or_the_file(
    tmp_path: Path,
) -> None:
    stages = {"71": {"name": "On hold", "status": "open"}}
    crm = CONFIG["connections"]["crm"] | {"stages": stages}
    imports = Imports(CONFIG | {"connections": {"crm": crm}}, tmp_path)
    name = write(tmp_path, EXPORT)

    imports.run(["crm", name, *MAPPED, "--dry-run"], tmp_path)
    listed = {line for line in imports.terminal.lines if "no meaning" in line}
    assert listed == {
        f"stage: {word!r} has no meaning here: 1 lines" for word in ("contract sent", "Closed Won", "81", "Gone")
    }

    imports.run(["crm", name, *MAPPED, "--value", "stage.closedwon=Closed Won"], tmp_path)
    said = folded(imports.changes())
    assert [said["deal", f"hs:{id}"].get("stage") for id in (502, 503)] == ["closedwon", "71"]


def test_deals_of_objects_close_when_they_changed_where_none_says_its_close(imports: Imports, tmp_path: Path) -> None:
    deal = {"id": "1", "rep": "r1", "status": "won", "amount": 5, "changed_at": "2026-03-18T09:00:00Z"}
    name = write(tmp_path, json.dumps(deal), "deals.ndjson")

    outcome = imports.run(["files", name, "--record", "deal"], tmp_path)

    assert outcome is not None
    assert (outcome.exit_code, outcome.lines["taken"]) == (0, 1)
    assert folded(imports.changes())["deal", "1"]["closed_at"] == instant("2026-03-18T09:00Z")


def test_a_stopped_import_goes_on_where_it_was(
    imports: Imports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.files.sending.MOST_EVENTS", 1)
    command = ["files", write(tmp_path, calls(*map(str, range(20)))), "--record", "call", *AS_OF]
    broken = Log(fails_after=8)
    with pytest.raises(TimeoutError):
        asyncio.run(imports.importer(command, tmp_path).run(imports.people(), broken))

    imports.log.messages = list(broken.messages)
    imports.run(command, tmp_path)

    assert len(imports.log.messages) == 20
    assert "8 of them had been sent before" in imports.terminal.lines
    assert len(folded(imports.changes())) == 20


def test_a_mark_of_another_log_is_not_believed(
    imports: Imports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.files.sending.MOST_EVENTS", 1)
    command = ["files", write(tmp_path, calls(*map(str, range(20)))), "--record", "call", *AS_OF]
    with pytest.raises(TimeoutError):
        asyncio.run(imports.importer(command, tmp_path).run(imports.people(), Log(fails_after=8)))

    imports.run(command, tmp_path)

    assert len(imports.log.messages) == 20


def test_twice_changes_nothing(imports: Imports, tmp_path: Path) -> None:
    command = ["files", write(tmp_path, calls("a", "b")), "--record", "call", *AS_OF]
    imports.run(command, tmp_path)
    once = {(change.id, change.version, str(change.fields)) for change in imports.changes()}
    imports.run(command, tmp_path)

    assert {(change.id, change.version, str(change.fields)) for change in imports.changes()} == once


def test_who_mends_refused_lines_is_told_as_of_when_to_import_them(imports: Imports, tmp_path: Path) -> None:
    """The mended file has a new time, and what was set since the first one must stay."""
    name = write(tmp_path, calls("a") + "b,r1,sideways,2026-03-18T09:00:00Z\n")
    os.utime(tmp_path / name, (0, 1773870000))  # 2026-03-18T21:40:00Z

    imports.run(["files", name, "--record", "call"], tmp_path)

    assert "once they are mended, import them as of this file: --as-of 2026-03-18T21:40:00Z" in imports.terminal.lines


def test_the_crms_own_connection_gives_its_namespace_but_not_to_the_roster(imports: Imports, tmp_path: Path) -> None:
    text = "id,rep,direction,dialed_at,lead\n1,ana@f.example,outbound,2026-03-18T09:00:00Z,5\n"
    imports.run(["crm", write(tmp_path, text), "--record", "call", "--rep-by", "email", *AS_OF], tmp_path)

    (change,) = imports.changes()
    assert (change.id, change.fields["rep"], change.fields["lead"]) == ("hs:1", "r1", "hs:5")


def test_an_alias_comes_before_a_name(imports: Imports, tmp_path: Path) -> None:
    text = "id,rep,direction,dialed_at\n1,77,outbound,2026-03-18T09:00:00Z\n"
    imports.run(["crm", write(tmp_path, text), "--record", "call", "--rep-by", "name", *AS_OF], tmp_path)

    assert imports.changes()[0].fields["rep"] == "hs:77"


def test_salesforces_ids_are_completed(imports: Imports, tmp_path: Path) -> None:
    text = "id,direction,dialed_at\n00T5g00000AbCd1,outbound,2026-03-18T09:00:00Z\n"
    imports.run(["sf", write(tmp_path, text), "--record", "call", *AS_OF], tmp_path)

    assert len(imports.changes()[0].id) == 18


def test_refused_lines_are_imported_once_they_are_mended(imports: Imports, tmp_path: Path) -> None:
    text = calls("a") + "b,r1,sideways,2026-03-18T09:00:00Z\nc,r1\n"
    options = ["--record", "call", *AS_OF]
    imports.run(["files", write(tmp_path, text), *options], tmp_path)
    refused = tmp_path / "refused.csv"
    rows = list(csv.reader(refused.read_text().splitlines()))
    assert [(row[-2], row[-1].partition(":")[0]) for row in rows[1:]] == [("3", "direction"), ("4", "line")]

    refused.write_text(refused.read_text().replace("sideways", "inbound"))
    outcome = imports.run(["files", "refused.csv", "--refused", str(tmp_path / "again.csv"), *options], tmp_path)

    assert outcome is not None
    assert outcome.lines["taken"] == 1
    assert {change.id for change in imports.changes()} == {"a", "b"}


def test_refused_objects_are_imported_once_they_are_mended(imports: Imports, tmp_path: Path) -> None:
    text = '{"id": 1, "direction": "sideways", "dialed_at": "2026-03-18T09:00:00Z"}\n{"id": \n'
    options = ["--record", "call", *AS_OF]
    imports.run(["files", write(tmp_path, text, "calls.ndjson"), *options], tmp_path)
    again = tmp_path / "refused.ndjson"
    assert again.read_text().splitlines()[1] == '{"id":'

    again.write_text(again.read_text().replace("sideways", "inbound"))
    imports.run(["files", "refused.ndjson", "--refused", str(tmp_path / "again.csv"), *options], tmp_path)

    assert [change.id for change in imports.changes()] == ["1"]


def test_a_dry_run_proposes_and_names_who_is_not_in_the_roster(imports: Imports, tmp_path: Path) -> None:
    text = "id,rep,direction,dialed_at\n1,r9,out,18/03/2026\n2,r9,outbound,2026-03-18\n"
    command = ["files", write(tmp_path, text), "--record", "call", "--dry-run", *AS_OF]
    imports.run(command, tmp_path)

    said = "\n".join(imports.terminal.lines)
    assert "--value direction.WORD='out': would read 1 line" in said
    assert "not in the roster: r9" in said
    assert json.loads(imports.terminal.lines[0])["id"] == "2"
    assert imports.log.messages == []


def test_a_date_is_proposed_and_never_read(imports: Imports, tmp_path: Path) -> None:
    text = "id,direction,dialed_at\n1,outbound,18/03/2026\n2,outbound,2026-03-18\n"
    imports.run(["files", write(tmp_path, text), "--record", "call", *AS_OF], tmp_path)

    assert "--date-format dialed_at='DD/MM/YYYY': would read 1 line" in imports.terminal.lines
    assert [change.id for change in imports.changes()] == ["2"]


def test_the_time_of_a_copy_is_not_taken_for_the_versions(imports: Imports, tmp_path: Path) -> None:
    name = write(tmp_path, calls("a"))
    os.utime(tmp_path / name, (0, 1774000000))  # 2026-03-20T09:46:40Z

    assert imports.run(["files", name, "--record", "call"], tmp_path) is None
    os.utime(tmp_path / name, (0, 1773870000))  # 2026-03-18T21:40:00Z
    imports.run(["files", name, "--record", "call"], tmp_path)
    assert imports.changes()[0].changed_at == 1773870000 * 1_000_000


def test_a_saved_mapping_is_printed_as_it_may_stand_in_the_configuration(imports: Imports, tmp_path: Path) -> None:
    text = "Nr,Wann,Richtung\n1,18.03.2026,raus\n"
    options = ["--map", "id=Nr", "--map", "dialed_at=Wann", "--map", "direction=Richtung", "--decimal", ","]
    told = ["--value", "direction.outbound=raus", "--date-format", "DD.MM.YYYY", "--timezone", "Europe/Berlin"]
    name = write(tmp_path, text)
    printed = imports.importer(["files", name, "--record", "call", *options, *told], tmp_path).mapping()

    saved = yaml.safe_load(printed)["files"]
    config = CONFIG | {"connections": {"files": {"kind": "file"} | saved}, "reps": {}}
    again = Imports(config, tmp_path)
    again.run(["files", name, "--record", "call", *AS_OF], tmp_path)
    assert [(change.id, change.fields["direction"]) for change in again.changes()] == [("1", "outbound")]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--map", "nonsense=id"], "nonsense"),
        (["--map", "rep=Agent"], "Agent"),
        (["--timezone", "Mars/North"], "Mars/North"),
        (["--date-format", "HH:mm"], "--date-format"),
        (["--value", "direction.sideways=x"], "direction.sideways"),
        (["--complete", "rep=1/2"], "--complete"),
        (["--encoding", "klingon"], "--encoding"),
        (["--map", "rep=#9"], "#9"),
    ],
)
def test_wrong_use_names_what_is_wrong(options: list[str], named: str, imports: Imports, tmp_path: Path) -> None:
    command = ["files", write(tmp_path, calls("a")), "--record", "call", *AS_OF, *options]

    assert imports.run(command, tmp_path) is None
    assert named in "\n".join(imports.terminal.lines)


@given(
    st.lists(
        st.sampled_from(['"', ",", ";", "\n", "\r\n", "id", "a", "2026-03-18", "\ufeff", "\0", "=", "1.234", "é"]),
        max_size=40,
    )
)
def test_any_text_is_read_or_refused_line_by_line(parts: list[str]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder)
        imports = Imports(CONFIG | {"reps": {}}, path)
        head = "id,rep,direction,dialed_at\n"
        outcome = imports.run(["files", write(path, head + "".join(parts)), "--record", "call", *AS_OF], path)
        if outcome is not None:
            assert len(imports.changes()) == outcome.lines["taken"]


def test_the_totals_of_a_spreadsheet_are_no_deal(imports: Imports, tmp_path: Path) -> None:
    """Spreadsheets fill a line up to the width of the header."""
    text = "id;rep;status;amount\n1;r1;open;5\nTotal;;;5\n2;;;7\n3;r1;;\n"

    imports.run(["files", write(tmp_path, text, "deals.csv"), "--record", "deal", *AS_OF], tmp_path)

    assert [change.id for change in imports.changes()] == ["1", "3"]
    assert "line 3: line: says nothing of rep, status" in imports.terminal.lines


def test_a_file_of_amounts_alone_is_taken(imports: Imports, tmp_path: Path) -> None:
    name = write(tmp_path, "id,amount,rep\n1,5,\n", "deals.csv")
    imports.run(["files", name, "--record", "deal", "--empty", "keep", *AS_OF], tmp_path)
    imports.run(["files", write(tmp_path, "id,amount\n2,7\n", "deals.csv"), "--record", "deal", *AS_OF], tmp_path)

    assert [(change.id, change.fields) for change in imports.changes()] == [
        ("1", {"amount": "5"}),
        ("2", {"amount": "7"}),
    ]


@pytest.mark.parametrize(
    ("cell", "form", "decimal"),
    [
        ("3/17/2026, 2:05\u202fPM", "M/D/YYYY, h:mm A", "."),
        ("3/17/2026,\u00a02:05 PM", "M/D/YYYY, h:mm A", "."),
        ("46098.5868055556", "excel", "."),
        ("46098,5868055556", "excel", ","),
    ],
)
def test_an_instant_as_programs_write_it(cell: str, form: str, decimal: str, imports: Imports, tmp_path: Path) -> None:
    name = write(tmp_path, f"id;direction;dialed_at\n1;outbound;{cell}\n")
    told = ["--date-format", form, "--decimal", decimal, "--timezone", "UTC"]

    imports.run(["files", name, "--record", "call", *told, *AS_OF], tmp_path)

    assert [change.fields["dialed_at"] for change in imports.changes()] == [instant("2026-03-17T14:05Z")]


@pytest.mark.parametrize(("cell", "decimal"), [("46098,58", "."), ("46,098.58", ","), ("46098.58", ",")])
def test_a_serial_with_another_decimal_sign_is_refused(
    cell: str, decimal: str, imports: Imports, tmp_path: Path
) -> None:
    name = write(tmp_path, f"id;direction;dialed_at\n1;outbound;{cell}\n")
    told = ["--date-format", "excel", "--decimal", decimal, "--timezone", "UTC"]

    imports.run(["files", name, "--record", "call", *told, *AS_OF], tmp_path)

    assert imports.changes() == []


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("calls.xlsx", b"PK\x03\x04\x14\x00\x06\x00", "workbook (.xlsx)"),
        ("calls.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(64), "workbook (.xls)"),
        ("calls.csv.gz", b"\x1f\x8b\x08\x00", "gzip"),
        ("calls.csv", calls("1").encode("utf-16-le"), "--encoding utf-16-le"),
        ("calls.json", b'\n[{"id": "1"}]\n', "line 2: begins an array of JSON"),
        ("calls.json", b'{\n "id": "1"\n}\n', "line 1: begins an object over several lines"),
    ],
)
def test_what_is_no_text_or_no_object_a_line_is_named_as_what_it_is(
    name: str, content: bytes, named: str, imports: Imports, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)

    outcome = imports.run(["files", name, "--record", "call", *AS_OF], tmp_path)

    assert outcome is None
    assert named in "\n".join(imports.terminal.lines)


def test_a_cell_may_hold_a_whole_mail_and_a_zero_byte_costs_its_line(imports: Imports, tmp_path: Path) -> None:
    """What stands in a long cell is no line of the file, and one faulty byte makes the file no other encoding."""
    inside = calls("x").splitlines()[1] + ",\n"
    header, one, two, three = calls("1", "2", "3").splitlines()
    lines = [f"{header},note", f'{one},"{inside * 4000}"', f"{two},\0", f"{three},"]

    outcome = imports.run(["files", write(tmp_path, "\n".join(lines)), "--record", "call", *AS_OF], tmp_path)

    assert outcome is not None
    assert (outcome.lines["taken"], outcome.lines["refused"]) == (2, 1)
    assert [refusal.why for refusal in outcome.checked.refusals.values()] == ["holds a zero byte"]
    assert folded(imports.changes()).keys() == {("call", "1"), ("call", "3")}


def test_an_error_of_a_spreadsheet_is_no_id(imports: Imports, tmp_path: Path) -> None:
    outcome = imports.run(["files", write(tmp_path, calls("1", "#REF!")), "--record", "call", *AS_OF], tmp_path)

    assert outcome is not None
    assert {number: refusal.field for number, refusal in outcome.checked.refusals.items()} == {3: "id"}


@pytest.mark.parametrize(
    "text", ["($5.00)", "$(5.00)", "$ (5.00)", "(5.00) $", "(5.00 $)", "-$5.00", "$-5.00", "5.00- $"]
)
def test_what_is_owed_is_negative_wherever_the_sign_of_its_currency_stands(text: str) -> None:
    assert read_amount(text, ".", {"$": "USD"}) == ("-5.00", "USD")


def test_who_tells_a_wrong_encoding_of_utf_8_is_told_that_it_is(imports: Imports, tmp_path: Path) -> None:
    name = write(tmp_path, calls("Ä", *map(str, range(3000))))

    assert imports.run(["files", name, "--record", "call", "--encoding", "ascii", *AS_OF], tmp_path) is None
    assert imports.terminal.lines[-2:] == [
        f"{tmp_path / name}: line 2: is not ascii",
        "say --encoding; it could be utf-8",
    ]
