"""Names from outside in every channel: each message, by the channel's own rules, says them and does nothing else."""

import json
import re
from email import message_from_bytes, policy
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from processor.agents.channels import alertmanager, slack, teams
from processor.agents.channels.email import EmailChannel
from processor.agents.channels.slack import SlackChannel
from processor.agents.channels.teams import TeamsChannel
from processor.agents.channels.webhook import WebhookChannel, envelope, summary
from processor.agents.channels.wording import LONGEST, AlertMessage, Wording, one_line, plain_name
from schemas.alerts import Alert
from schemas.config import Config
from tests.alert_builders import HOUR, START, make_alert, make_crossing
from tests.builders import make_config

NOW = START + HOUR
TRICKS = (
    "\n", "\r\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\0", "\x1b[2J", "\u202e", "\u2066",
    "<!here>", "<!channel>", "<!subteam^S1>", "<@U1>", "<https://evil.example|click>", "@here", "@channel", "@everyone",
    "&lt;", "&", "<", ">", "[click](https://evil.example)", "https://evil.example", "www.evil.example", "**", "_", "~",
    "`", "<at>A</at>", "![x](https://evil.example)", "Subject: x", "Bcc: a@evil.example", "\n\n--b\n", "=?utf-8?q?x?=",
    "{{ .Alerts }}", "${x}", '"', "\\", "é", "リード", "العربية", "a" * 300, "",
)  # fmt: skip
NAMES = st.lists(st.sampled_from(TRICKS) | st.text(st.characters(codec="utf-8"), max_size=5), max_size=6).map("".join)
ALERTS = st.one_of(
    st.builds(
        lambda lead, rep, team: msgspec.structs.replace(make_alert(lead, team=team), rep=rep),
        NAMES, st.none() | NAMES, st.none() | NAMES,
    ),
    st.builds(lambda rep, team: make_crossing(rep=rep, team=team), NAMES, NAMES),
)  # fmt: skip


class Taken:
    """Instead of the network."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def post(self, body: bytes, _headers: dict[str, str], _now: int) -> None:
        self.bodies.append(body)


def config(**settings_: Any) -> Config:
    return make_config(alerts={"channels": {"floor": settings_}})


async def posted(channel: Any, alerts: list[Alert], *, is_summary: bool) -> Any:
    channel._poster = taken = Taken()
    await (channel.summarize if is_summary else channel.send)(alerts, NOW)
    return json.loads(taken.bodies[0])


HTTP = config(kind="slack", url="https://example.com/x")
WORDING = Wording(HTTP)


def told(alerts: list[Alert], *, is_summary: bool) -> AlertMessage:
    return WORDING.summary(alerts) if is_summary else WORDING.told(alerts)


@settings(max_examples=60)
@given(NAMES)
def test_a_name_is_one_line_that_turns_nothing_around_and_the_same_always(name: str) -> None:
    shown = plain_name(name)

    assert len(shown.splitlines()) <= 1
    assert len(shown) <= LONGEST
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", shown)
    assert plain_name(shown) == shown
    assert one_line(one_line(name)) == one_line(name)


@settings(deadline=None, max_examples=40)
@given(st.lists(ALERTS, min_size=1, max_size=3), st.booleans())
async def test_slack_reads_neither_a_link_nor_a_call_out_of_a_name(alerts: list[Alert], is_summary: bool) -> None:
    settings_: Any = HTTP.alerts.channels["floor"]
    body = await posted(SlackChannel("floor", settings_, WORDING), alerts, is_summary=is_summary)
    said, listed = told(alerts, is_summary=is_summary)

    assert (body["parse"], body["link_names"]) == ("none", False)
    assert all(block["text"]["verbatim"] is True for block in body["blocks"])
    texts = [body["text"], *(block["text"]["text"] for block in body["blocks"])]
    for text in texts:
        assert "<" not in text
        assert ">" not in text
        assert not re.sub("&(amp|lt|gt);", "", text).count("&")
        assert not re.search("@(here|channel|everyone)", text)
    assert _unescaped_slack(body["text"]) == said.replace("@\u2060", "@")
    if sum(map(len, listed)) < 2_000:
        assert _unescaped_slack("\n".join(texts[2:])) == "\n".join(listed).replace("@\u2060", "@")


def _unescaped_slack(text: str) -> str:
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(entity, character)
    return text.replace("@\u2060", "@")


@settings(max_examples=60)
@given(NAMES)
def test_what_slack_is_given_reads_as_it_was_written(name: str) -> None:
    assert _unescaped_slack(slack.escape_mrkdwn(name)) == name.replace("@\u2060", "@")


@settings(deadline=None, max_examples=40)
@given(st.lists(ALERTS, min_size=1, max_size=3), st.booleans())
async def test_teams_reads_no_markdown_out_of_a_name(alerts: list[Alert], is_summary: bool) -> None:
    settings_: Any = HTTP.alerts.channels["floor"]
    body = await posted(TeamsChannel("floor", settings_, WORDING), alerts, is_summary=is_summary)
    card = body["attachments"][0]["content"]
    _, listed = told(alerts, is_summary=is_summary)

    assert "msteams" not in card  # where mentions would stand
    assert all(block["type"] == "TextBlock" for block in card["body"])
    for block in card["body"]:
        assert "\n" not in block["text"]
        bare = re.sub(r"\\[\\`*_{}\[\]()#+!|<>~]", "", block["text"])
        assert not re.search(r"[`*_\[\]<>~]|://|www\.", bare)
    assert [_unescaped_teams(block["text"]) for block in card["body"]][1:] == [
        line.replace("\u2060", "") for line in listed
    ]


def _unescaped_teams(text: str) -> str:
    return re.sub(r"\\([\\`*_{}\[\]()#+!|<>~])", r"\1", text).replace("\u2060", "")


@settings(max_examples=60)
@given(NAMES)
def test_what_teams_is_given_reads_as_it_was_written(name: str) -> None:
    assert _unescaped_teams(teams.escape_markdown(name)) == name.replace("\u2060", "")


@settings(deadline=None, max_examples=40)
@given(st.lists(ALERTS, min_size=1, max_size=3), st.booleans())
def test_a_mail_has_the_headers_that_we_gave_it_and_a_line_for_each(alerts: list[Alert], is_summary: bool) -> None:
    made = config(kind="email", url="smtp://mail.example.com", sender="floor@example.com", recipients=["a@example.com"])
    settings_: Any = made.alerts.channels["floor"]
    said, listed = told(alerts, is_summary=is_summary)
    sent = EmailChannel("floor", settings_, WORDING)._message(alerts, AlertMessage(said, listed), NOW).as_bytes()
    read = message_from_bytes(sent, policy=policy.default)

    assert sorted(read.keys()) == sorted(
        ("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Type",
         "Content-Transfer-Encoding",
         "MIME-Version")
    )  # fmt: skip
    assert str(read["To"]) == "a@example.com"
    assert _squeezed(str(read["Subject"])) == _squeezed(said.replace("=?", "=\u2060?"))
    assert not read.is_multipart()
    assert read.get_content().splitlines() == listed


def _squeezed(text: str) -> str:
    # Headers are folded at blanks.
    return re.sub(r"\s+", "", text)


@settings(deadline=None, max_examples=40)
@given(st.lists(ALERTS, min_size=1, max_size=3))
def test_alertmanager_and_webhooks_get_whole_json_and_labels_of_one_line(alerts: list[Alert]) -> None:
    def posted(alert: Alert) -> Any:
        summary = told([alert], is_summary=False).headline
        return json.loads(msgspec.json.encode(alertmanager._posted(alert, summary, NOW)))

    for alert in alerts:
        read = posted(alert)
        assert all(len(value.splitlines()) <= 1 for value in (*read["labels"].values(), read["annotations"]["summary"]))
        assert read["labels"] == posted(alert.resolved(NOW))["labels"]
        assert json.loads(msgspec.json.encode(envelope(alert, "k")))["data"]["lead"] == alert.lead
    assert len(told(alerts, is_summary=True).headline.splitlines()) == 1
    assert json.loads(msgspec.json.encode(summary(alerts, "k", NOW)))["data"]["alerts"] == len(alerts)
    assert WebhookChannel.at_once == 1
