"""Days and wins in every kind of channel: one message, a table where there is one, and nothing of it is markup."""

from email import message_from_bytes, policy
from typing import Any

from msgspec import structs

from processor.agents.channels import build_channels
from processor.agents.channels.base import Channel
from schemas.alerts import DIGEST, WIN, Alert
from schemas.instants import HOUR
from schemas.notices import Notice
from tests.alert_builders import START
from tests.builders import make_config
from tests.sinks import HttpSink, MailSink

NOW = START + HOUR
HOSTILE = "<!channel> [x](http://evil) <b>Ana</b>\n@here ```"
DAY = Notice(
    "digest", "The day at Acme", (("Metric", "Today"), (HOSTILE, "30")), ("As of 17:30", "", f"Deal won: {HOSTILE}"),
    data='{"date":"2026-03-18"}', language="en",
)  # fmt: skip


def alert(kind: str, notice: Notice, id: str = "digest:2026-03-18:floor", **fields: Any) -> Alert:
    return structs.replace(Alert(id, kind, "warn", None, None, None, START, START, START, notice=notice), **fields)


def win(number: int, **fields: Any) -> Alert:
    notice = Notice(WIN, f"Deal won: rep {number}", data=f'{{"win":"deal_won:d{number}","withdrawn":false}}')
    return alert(WIN, notice, f"win:floor:deal_won:d{number}", **fields)


def build(**settings: Any) -> Channel:
    config = make_config(alerts={"channels": {"floor": {"allow_private": True} | settings}})
    return build_channels(config)["floor"]


async def announce(channel: Channel, *told: Alert) -> None:
    try:
        await channel.announce(told, NOW)
    finally:
        await channel.close()


async def test_a_webhook_has_the_words_the_table_and_the_values() -> None:
    async with HttpSink() as sink:
        await announce(build(kind="webhook", url=sink.url), alert(DIGEST, DAY))
    (post,) = sink.received

    assert (post.json["type"], post.json["data"]["date"]) == ("digest", "2026-03-18")
    assert post.json["data"]["title"] == "The day at Acme"
    assert post.json["data"]["table"][1][1] == "30"
    assert "Metric" in post.json["data"]["text"]


async def test_slack_shows_the_table_as_text_in_which_nothing_is_markup() -> None:
    async with HttpSink() as sink:
        await announce(build(kind="slack", url=sink.url), alert(DIGEST, DAY))
    (post,) = sink.received
    title, table, lines = post.json["blocks"]

    assert title["text"]["text"] == "*The day at Acme*"
    assert table["type"] == "rich_text"
    (text,) = table["elements"][0]["elements"]
    assert (text["type"], text["text"].splitlines()[0].split()) == ("text", ["Metric", "Today"])
    assert len(text["text"].splitlines()) == 2
    assert "<" not in lines["text"]["text"]
    assert "@here" not in lines["text"]["text"]


async def test_teams_has_a_table_of_escaped_cells_from_right_to_left_where_it_is_read_so() -> None:
    async with HttpSink() as sink:
        notice = structs.replace(DAY, is_right_to_left=True, language="fa")
        await announce(build(kind="teams", url=sink.url), alert(DIGEST, notice))
    card = sink.received[0].json["attachments"][0]["content"]
    _, table, *_ = card["body"]

    assert (card["version"], card["rtl"], table["type"], table["firstRowAsHeader"]) == ("1.5", True, "Table", True)
    cells = [cell["items"][0]["text"] for row in table["rows"] for cell in row["cells"]]
    assert cells[:2] == ["Metric", "Today"]
    assert "](" not in cells[2].replace("\\]\\(", "")


async def test_a_mail_has_text_and_a_table_for_programs_that_show_one() -> None:
    with MailSink() as mail:
        channel = build(kind="email", url=mail.url, sender="floor@example.com", recipients=["a@example.com"])
        await announce(channel, alert(DIGEST, DAY))
    (sent,) = mail.mails
    message = message_from_bytes(sent, policy=policy.default)
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None

    assert (message["Subject"], message["Content-Language"]) == ("The day at Acme", "en")
    assert "As of 17:30" in text.get_content()
    content = html.get_content()
    assert "<th>Metric</th><th>Today</th>" in content
    assert "<b>Ana" not in content
    assert "&lt;b&gt;Ana" in content


async def test_alertmanager_has_an_alert_that_ends_by_itself_and_at_once_when_taken_back() -> None:
    async with HttpSink() as sink:
        taken_back = structs.replace(win(1), turn=2, resolved_at=NOW)
        await announce(build(kind="alertmanager", url=sink.url), win(1), taken_back)
    told, back = sink.received[0].json

    assert told["labels"] == back["labels"]
    assert (told["labels"]["alertname"], told["annotations"]["summary"]) == ("Win", "Deal won: rep 1")
    assert (told["endsAt"], back["endsAt"]) == ("2026-03-18T12:00:00.000Z", "2026-03-18T11:00:00.000Z")


async def test_wins_that_come_together_are_one_message_which_names_up_to_five() -> None:
    async with HttpSink() as sink:
        url = sink.url
        await announce(build(kind="slack", url=url), win(1))
        await announce(build(kind="slack", url=url), *map(win, range(5)))
        await announce(build(kind="slack", url=url), *map(win, range(7)))
    texts = ["\n".join(block["text"]["text"] for block in post.json["blocks"]) for post in sink.received]

    assert texts[0] == "*Deal won: rep 1*"
    assert texts[1].splitlines() == ["*5 wins!*", *(f"Deal won: rep {number}" for number in range(5))]
    assert texts[2].splitlines()[0] == "*7 wins!*"
    assert texts[2].splitlines()[-1] == "and 2 more"


async def test_a_webhook_is_told_each_win() -> None:
    async with HttpSink() as sink:
        await announce(build(kind="webhook", url=sink.url), win(1))

    assert sink.received[0].json["type"] == "win"
    assert sink.received[0].json["data"]["win"] == "deal_won:d1"
