"""Each channel against a receiver on loopback; and the guard, which lets none into a private network unasked."""

from collections.abc import AsyncIterator, Iterator
from email import message_from_bytes, policy
from typing import Any

import msgspec
import pytest
from aiohttp import web

from processor.agents.channels import build_channels
from processor.agents.channels.base import Channel, ChannelUnavailableError, RefusedError, idempotency_key
from processor.agents.channels.guard import BlockedAddressError, guarded_connection, guarded_socket, is_public
from processor.agents.channels.wording import Wording
from schemas.alerts import Alert, Crossing
from schemas.connectors.standard_webhooks import check_signature, read_key
from schemas.instants import SECOND, parse_instant
from tests.alert_builders import HOUR, START, make_alert, make_crossing
from tests.builders import make_config
from tests.sinks import HttpSink, MailSink

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - of a sink
NOW = START + HOUR


def build(**settings: Any) -> Channel:
    config = make_config(timezone="Europe/Berlin", alerts={"channels": {"floor": {"allow_private": True} | settings}})
    return build_channels(config)["floor"]


ENVELOPE = (
    "id", "kind", "level", "lead", "rep", "team", "started_at", "due_at", "raised_at", "resolved_at", "late",
)  # fmt: skip


def replaced(alert: Alert, **fields: Any) -> Alert:
    assert isinstance(alert.crossing, Crossing)
    return msgspec.structs.replace(alert, crossing=msgspec.structs.replace(alert.crossing, **fields))


async def send(channel: Channel, *alerts: Alert) -> None:
    try:
        await channel.send(alerts, NOW)
    finally:
        await channel.close()


@pytest.fixture
async def sink() -> AsyncIterator[HttpSink]:
    async with HttpSink() as receiving:
        yield receiving


@pytest.fixture
def mail() -> Iterator[MailSink]:
    with MailSink() as receiving:
        yield receiving


async def test_a_webhook_carries_the_alert_and_a_signature_that_fits(sink: HttpSink) -> None:
    await send(build(kind="webhook", url=f"{sink.url}/hook", secret=SECRET), make_alert())

    (post,) = sink.received
    check_signature([read_key(SECRET, "secret")], post.headers, post.body, NOW)
    assert post.headers["content-type"] == "application/json"
    assert post.json == {
        "id": post.headers["webhook-id"],
        "type": "alert.raised",
        "timestamp": "2026-03-18T11:00:00.000Z",
        "data": {
            "id": f"l1:breach:{START}:{START + HOUR}",
            "kind": "lead_response",
            "level": "breach",
            "lead": "l1",
            "rep": "r1",
            "team": "north",
            "started_at": "2026-03-18T10:00:00.000Z",
            "due_at": "2026-03-18T11:00:00.000Z",
            "raised_at": "2026-03-18T11:00:00.000Z",
            "resolved_at": None,
            "late": False,
            "request": None,
        },
    }


async def test_of_a_metric_a_webhook_says_what_is_needed_to_understand_it(sink: HttpSink) -> None:
    await send(build(kind="webhook", url=f"{sink.url}/hook"), make_crossing())

    data = sink.received[0].json["data"]
    assert (data["kind"], data["lead"], data["due_at"]) == ("metric_threshold", None, "2026-03-18T11:00:00.000Z")
    assert {name: data[name] for name in data if name not in {*ENVELOPE}} == {
        "threshold": "few", "per": "rep", "metric": "calls_made", "window": "today", "comparison": "below",
        "limit": 10, "value": 9, "at": "11:00", "currency": None, "over": False,
    }  # fmt: skip


async def test_alertmanager_knows_a_crossing_by_what_does_not_change(sink: HttpSink) -> None:
    raised = make_crossing(rep=None)
    crossing = replaced(raised, value=12)
    await send(build(kind="alertmanager", url=sink.url), raised, crossing.resolved(NOW + SECOND))

    first, second = sink.received[0].json
    assert first["labels"] == second["labels"] == {
        "alertname": "MetricThreshold", "area": "metrics", "severity": "info", "service": "floorcast", "level": "warn",
        "rep": "", "team": "north", "alert": raised.id, "threshold": "few", "metric": "calls_made", "window": "today",
    }  # fmt: skip
    assert first["annotations"] == {
        "crossed_at": "2026-03-18T11:00:00.000Z", "limit": "10", "value": "9",
        "summary": "Calls made today, team north: 9, below 10 at 11:00",
        "description": "Since 2026-03-18T11:00:00.000Z.",
    }  # fmt: skip
    assert second["annotations"]["value"] == "12"


async def test_a_summary_tells_of_numbers_that_crossed_as_of_leads(sink: HttpSink) -> None:
    crossed = [make_crossing(rep=f"r{number}") for number in range(30)]
    channels = [build(kind=kind, url=sink.url) for kind in ("webhook", "slack", "alertmanager")]
    for channel in channels:
        await channel.summarize([*crossed, make_alert("l1")], NOW)
        await channel.summarize(crossed, NOW)
        await channel.close()

    both, data, slack, slack_, (beside,), (posted,) = (each.json for each in sink.received)
    assert (both["data"]["kind"], both["data"]["leads"], both["data"]["crossings"]) == ("lead_response", 1, 30)
    data = data["data"]
    assert (data["kind"], data["alerts"], data["leads"], data["listed"]) == ("metric_threshold", 30, 0, [])
    assert len(data["crossed"]) == 20
    assert data["crossed"][0].items() >= {"rep": "r0", "team": "north", "threshold": "few", "value": 9}.items()
    assert "Told late: 1 lead: 1 overdue; 30 metrics: 30 below" in slack["text"]
    assert "Told late: 30 metrics: 30 below" in slack_["text"]
    assert [each["labels"]["alertname"] for each in (beside, posted)] == ["LeadsToldLate", "MetricsToldLate"]


@pytest.mark.parametrize("kind", ["slack", "teams"])
async def test_people_hear_of_crossings_but_not_that_the_day_is_over(sink: HttpSink, kind: str) -> None:
    channel = build(kind=kind, url=sink.url)
    over = replaced(make_crossing(), is_over=True).resolved(NOW)
    await channel.send([over], NOW)
    assert sink.received == []

    await send(channel, over, make_crossing(rep="r2"))

    (post,) = sink.received
    told = post.body.decode().replace("\\", "")
    assert "Calls made today, rep r2 (team north): 9, below 10 at 11:00" in told
    assert "since Mar 18 12:00 CET" in told
    assert "r1" not in told


async def test_nobody_is_mailed_that_the_day_is_over(mail: MailSink) -> None:
    channel = build(kind="email", url=mail.url, sender="floor@example.com", recipients=["a@example.com"])
    await send(channel, replaced(make_crossing(), is_over=True).resolved(NOW))

    assert mail.mails == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"metric": "connect_rate", "limit": 0.1, "value": 0.0999, "window": "1h", "at": None},
         "Connect rate last hour, organisation: 9.99%, below 10%"),
        ({"metric": "revenue_won", "limit": "1000000.00", "value": "1234567.50", "comparison": "reaches",
          "window": "quarter", "at": None, "currency": "USD"},
         "Revenue won this quarter, organisation: $1,234,567.50, reached $1M"),
        ({"metric": "lead_response_seconds_p90", "limit": 7200, "value": 7261.5, "comparison": "above", "at": None},
         "Lead response (90th percentile) today, organisation: 2h 1m 2s, above 2h"),
        ({"value": None}, "Calls made today, organisation: no number, below 10 at 11:00"),
    ],
    ids=["share", "money", "seconds", "nothing"],
)  # fmt: skip
def test_numbers_are_written_as_people_do(fields: dict[str, Any], words: str) -> None:
    assert told(make_crossing(rep=None, team=None, **fields)) == words


LANGUAGES_TOLD = {
    "de": (
        "Lead l1: überfällig",
        "Lead l1 (r1, Team north): überfällig seit 18. März 12:00 CET, wartet seit 18. März 11:00",
        "Anrufe, heute, r1 (Team north): 9, unter 10 um 11:00",
    ),
    "fa": ("سرنخ l1: از مهلت گذشته", "۲۷ اسفند ۱۲:۰۰", "تماس‌ها، امروز، r1 (تیم north): ۹، کمتر از ۱۰ در ساعت ۱۱:۰۰"),
    "zh-Hans": ("线索 l1 已超时", "3月18日 12:00", "拨打电话（今天），r1（团队 north）：9，11:00 时低于 10"),
    "ms": (
        "Prospek l1: lewat",
        "18 Mac 12:00",
        "Panggilan dibuat, hari ini, r1 (pasukan north): 9, di bawah 10 pada 11:00",
    ),
}


@pytest.mark.parametrize("language", LANGUAGES_TOLD)
def test_alerts_are_told_in_the_language_of_the_channels(language: str) -> None:
    wording = Wording(make_config(timezone="Europe/Berlin", screens=speaking(language)))
    late, several = wording.summary([make_alert(late=HOUR)]), wording.told([make_alert(), make_crossing()])
    english = Wording(make_config(timezone="Europe/Berlin"))

    headline, line, metric = LANGUAGES_TOLD[language]
    assert told(make_alert(), wording) == headline
    assert line in wording.told([make_alert()]).lines[0]
    assert told(make_crossing(), wording) == metric
    for others in (late, several):
        assert not {*others.lines} & {*english.summary([make_alert(late=HOUR)]).lines}
        assert "lead" not in others.headline or language == "de"


async def test_a_card_from_right_to_left_says_so(sink: HttpSink) -> None:
    config = make_config(
        screens=speaking("fa"),
        alerts={"channels": {"floor": {"kind": "teams", "url": sink.url, "allow_private": True}}},
    )
    await send(build_channels(config)["floor"], make_alert())

    card = sink.received[0].json["attachments"][0]["content"]
    assert (card["rtl"], card["version"]) == (True, "1.5")


def speaking(language: str) -> dict[str, Any]:
    return {"floor": {"language": language, "scenes": [{"name": "A", "tiles": [{"kind": "leads"}]}]}}


def told(alert: Alert, wording: Wording | None = None) -> str:
    return (wording or Wording(make_config())).told([alert]).headline


def test_a_burst_of_both_kinds_is_counted_by_kind() -> None:
    crossings = [make_crossing(), make_crossing(rep="r2"), make_crossing(rep="r3").resolved(NOW)]

    assert (
        Wording(make_config()).told([make_alert(), *crossings]).headline
        == "1 lead: 1 overdue; 3 metrics: 2 below, 1 back"
    )


def test_a_repetition_has_the_same_key_and_every_turn_another() -> None:
    raised = make_alert()
    resolved = raised.resolved(NOW)

    assert idempotency_key("floor", [raised]) == idempotency_key("floor", [make_alert()])
    assert len({idempotency_key("floor", [raised]), idempotency_key("floor", [resolved])}) == 2


async def test_an_id_in_any_script_does_no_harm_to_the_headers(sink: HttpSink) -> None:
    await send(build(kind="webhook", url=sink.url, secret=SECRET), make_alert("Führung-リード"))

    assert sink.received[0].headers["webhook-id"].isascii()
    assert sink.received[0].json["data"]["lead"] == "Führung-リード"


async def test_slack_gets_one_message_with_twenty_lines_and_a_count(sink: HttpSink) -> None:
    await send(build(kind="slack", url=sink.url), *(make_alert(f"l{number}") for number in range(25)))

    (post,) = sink.received
    assert post.json["text"] == "25 leads: 25 overdue"
    text = "\n".join(block["text"]["text"] for block in post.json["blocks"])
    assert text.count("Lead l") == 20
    assert text.endswith("and 5 more")


async def test_in_slack_an_id_can_neither_link_nor_call_everybody(sink: HttpSink) -> None:
    await send(build(kind="slack", url=sink.url), make_alert("<!channel>"))

    assert "<!channel>" not in sink.received[0].body.decode()


async def test_teams_gets_an_adaptive_card(sink: HttpSink) -> None:
    await send(build(kind="teams", url=sink.url), make_alert())

    (attachment,) = sink.received[0].json["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    title, line = (block["text"] for block in attachment["content"]["body"])
    assert title == "Lead l1 is overdue"
    assert "overdue since Mar 18 12:00 CET" in line


async def test_what_teams_shows_in_place_of_a_card_is_escaped_as_the_card_is(sink: HttpSink) -> None:
    await send(build(kind="teams", url=sink.url), make_alert("[pay](http://evil.example)"))

    card = sink.received[0].json["attachments"][0]["content"]
    assert card["fallbackText"] == card["body"][0]["text"]
    assert "](" not in card["fallbackText"]


async def test_alertmanager_gets_all_that_is_open_with_an_end_and_what_is_over_as_over(sink: HttpSink) -> None:
    channel = build(kind="alertmanager", url=f"{sink.url}/", secret="a token")  # noqa: S106
    await send(channel, make_alert(), make_alert("l2").resolved(NOW + SECOND))

    (post,) = sink.received
    assert post.path == "/api/v2/alerts"
    assert post.headers["authorization"] == "Bearer a token"
    waits, over = post.json
    assert waits["labels"] == {
        "alertname": "LeadResponse", "area": "leads", "severity": "warning", "service": "floorcast", "level": "breach",
        "lead": "l1", "rep": "r1", "team": "north", "alert": f"l1:breach:{START}:{START + HOUR}",
    }  # fmt: skip
    assert waits["annotations"]["summary"] == "Lead l1 is overdue"
    assert parse_instant(waits["endsAt"]) > NOW + 120 * SECOND
    assert parse_instant(over["endsAt"]) == NOW + SECOND


async def test_a_mail_names_ids_teams_and_times(mail: MailSink) -> None:
    recipients = ["a@example.com", "b@example.com"]
    channel = build(kind="email", url=mail.url, sender="floor@example.com", recipients=recipients)
    await send(channel, make_alert(late=10 * SECOND))

    (raw,) = mail.mails
    message = message_from_bytes(raw, policy=policy.default)
    assert message["Subject"] == "Lead l1 is overdue"
    assert message["To"] == "a@example.com, b@example.com"
    assert idempotency_key("floor", [make_alert()]) in message["Message-ID"]
    body = message.get_body()
    assert body is not None
    assert "rep r1, team north" in body.get_content()
    assert "told late" in body.get_content()
    assert len(mail.recipients) == 2


async def test_an_id_cannot_add_headers_to_a_mail(mail: MailSink) -> None:
    channel = build(kind="email", url=mail.url, sender="floor@example.com", recipients=["a@example.com"])
    await send(channel, make_alert("l1\r\nBcc: b@example.com"))

    read = message_from_bytes(mail.mails[0], policy=policy.default)
    assert "Bcc" not in read
    assert read["Subject"] == "Lead l1  Bcc: b@example.com is overdue"
    assert len(read.get_content().splitlines()) == 1


async def test_a_recipient_that_is_refused_for_good_is_said_so(mail: MailSink) -> None:
    mail.answer_to_recipient = "550 unknown"
    channel = build(kind="email", url=mail.url, sender="floor@example.com", recipients=["a@example.com"])

    with pytest.raises(RefusedError, match=r"answered 550"):
        await send(channel, make_alert())


async def test_a_password_is_not_sent_to_a_server_without_tls(mail: MailSink) -> None:
    channel = build(
        kind="email", url=mail.url, sender="floor@example.com", recipients=["a@example.com"],
        username="floor", secret="secret",  # noqa: S106
    )  # fmt: skip

    with pytest.raises(ChannelUnavailableError, match="no TLS"):
        await send(channel, make_alert())


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
async def test_a_receiver_in_trouble_is_unavailable(status: int) -> None:
    async with HttpSink(lambda _: web.Response(status=status, headers={"retry-after": "7"})) as sink:
        with pytest.raises(ChannelUnavailableError, match=f"answered {status}") as caught:
            await send(build(kind="webhook", url=sink.url), make_alert())

    assert caught.value.retry_after == 7.0


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 410, 422])
async def test_a_receiver_that_says_no_refuses_and_a_redirect_is_not_followed(status: int) -> None:
    async with HttpSink(lambda _: web.Response(status=status, headers={"location": "/elsewhere"})) as sink:
        with pytest.raises(RefusedError, match=f"answered {status}"):
            await send(build(kind="webhook", url=f"{sink.url}/hook"), make_alert())

    assert [post.path for post in sink.received] == ["/hook"]


async def test_a_receiver_that_is_not_there_is_unavailable_and_its_address_is_not_told(unused_tcp_port: int) -> None:
    with pytest.raises(ChannelUnavailableError) as caught:
        await send(build(kind="slack", url=f"http://127.0.0.1:{unused_tcp_port}/T0/secret"), make_alert())

    assert "secret" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize(
    "host",
    ["127.1", "0x7f000001", "2130706433", "localhost", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "10.0.0.1"],
)
async def test_no_spelling_of_a_private_address_is_connected_to(host: str) -> None:
    channel = build(kind="webhook", url=f"https://{host}:8443/", allow_private=False)

    # Some spellings are not taken for an address at all.
    with pytest.raises((ChannelUnavailableError, RefusedError), match=r"no connection|cannot be used"):
        await send(channel, make_alert())


async def test_a_sink_on_this_machine_gets_nothing_unless_permitted(sink: HttpSink) -> None:
    channel = build(kind="webhook", url=sink.url.replace("http:", "https:"), allow_private=False)

    with pytest.raises(ChannelUnavailableError):
        await send(channel, make_alert())
    assert sink.received == []


async def test_mail_does_not_go_to_a_private_address_either(mail: MailSink) -> None:
    channel = build(
        kind="email", url=mail.url, sender="floor@example.com", recipients=["a@example.com"], allow_private=False
    )

    with pytest.raises(ChannelUnavailableError, match="BlockedAddressError"):
        await send(channel, make_alert())


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("8.8.8.8", True), ("2606:4700:4700::1111", True), ("127.0.0.1", False), ("10.1.2.3", False),
        ("100.64.0.1", False), ("169.254.169.254", False), ("0.0.0.0", False),  # noqa: S104
        ("224.0.0.1", False), ("::1", False),
        ("fe80::1%eth0", False), ("fd00::1", False), ("ff02::1", False), ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False), ("64:ff9b::808:808", True), ("2002:7f00:1::", False),
        ("64:ff9b:1::808:808", False), ("64:ff9b:0:1::808:808", False), ("fec0::1", False), ("::8.8.8.8", False),
        ("::7f00:1", False), ("::", False), ("::ffff:8.8.8.8", True), ("2002:808:808::1", True),
        ("2001:0:808:808::f5ff:fffe", False), ("2001:0:a00:1::f7f7:f7f7", False), ("2001:0:808:808::f7f7:f7f7", True),
        ("2606:4700::5efe:a00:1", False), ("2606:4700::200:5efe:808:808", True), ("2001:db8::1", False),
        ("2001:2::1", False), ("2001:10::1", False), ("3fff::1", False), ("5f00::1", False), ("100::1", False),
        ("ff0e::1", False), ("4000::1", False), ("fd00:ec2::254", False), ("100.100.100.200", False),
        ("100.127.255.255", False), ("100.128.0.1", True), ("168.63.129.16", False), ("172.31.255.255", False),
        ("172.32.0.1", True), ("192.168.0.1", False), ("192.0.0.1", False), ("192.0.2.1", False),
        ("192.88.99.1", False), ("198.18.0.1", False), ("198.51.100.1", False), ("203.0.113.1", False),
        ("239.255.255.250", False), ("240.0.0.1", False), ("255.255.255.255", False), ("0.1.2.3", False),
    ],
)  # fmt: skip
def test_addresses_are_judged_by_what_they_lead_to(address: str, expected: bool) -> None:
    assert is_public(address) is expected


def test_a_private_address_gets_no_socket() -> None:
    import socket

    with pytest.raises(BlockedAddressError):
        guarded_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80)))
    with pytest.raises(BlockedAddressError):
        guarded_connection("localhost", 25, 1.0)
