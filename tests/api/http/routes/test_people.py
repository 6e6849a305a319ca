"""`/floor` and `/me`: every control in the address, who may open them, and what a browser is told that may not."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from schemas.alerts import Alert, decode_action, encode_alert
from schemas.instants import HOUR
from schemas.keys import ApiScope, create_key, list_keys, revoke_key
from schemas.topics import ALERTS
from tests.api.fakes import FakeActions
from tests.api.reading import Floor, floor_config
from tests.builders import change

NOW = "2026-03-18T07:40:20.500Z"
"""15:40 in Kuala Lumpur, a Wednesday."""
BROWSER = {"accept": "text/html", "accept-language": "en"}
GOALS = {
    "calls": {"metric": "calls_made", "period": "month", "amounts": [{"each": 10}]},
    "revenue": {"metric": "revenue_won", "period": "month", "amounts": [{"each": "250"}]},
}


class Texts(HTMLParser):
    """The words of a page by the ids of the parts that they stand in, its tables, links and controls."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str | None] = []
        self.words: dict[str, list[str]] = {}
        self.links: list[tuple[str, dict[str, str | None]]] = []
        self.controls: list[tuple[str, dict[str, str | None]]] = []
        self.labels: set[str | None] = set()
        self.rows: list[list[str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in {"meta", "link", "input", "rect"}:
            self.ids.append(given.get("id"))
        if tag == "a":
            self.links.append(("", given))
        if tag in {"input", "select", "button", "option"}:
            self.controls.append((tag, given))
        if tag == "label":
            self.labels.add(given.get("for"))
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"} and self.rows:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"meta", "link", "input", "rect"} and self.ids:
            self.ids.pop()

    def handle_data(self, data: str) -> None:
        for id in {id for id in self.ids if id}:
            self.words.setdefault(id, []).append(data)
        if self.rows and self.rows[-1] and any(id == "reps" for id in self.ids):
            self.rows[-1][-1] += data
        if self.links:
            text, attributes = self.links[-1]
            self.links[-1] = (text + data, attributes)

    def of(self, id: str) -> str:
        return " ".join(" ".join(self.words.get(id, [])).split())

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [given for _, given in self.controls if given.get("name") == name]

    def hrefs(self) -> list[str]:
        return [str(given["href"]) for _, given in self.links if "href" in given]


class Page(Floor):
    """A floor that is asked as a browser asks."""

    def token(self, scope: str = "read", **more: Any) -> str:
        return create_key(self.settings.keys, ApiScope(scope), now=self.now, **more)

    async def open(self, path: str, token: str | None = None, cookie: str = "floorcast_floor") -> httpx.Response:
        return await self.get(path, headers=BROWSER | ({} if token is None else {"cookie": f"{cookie}={token}"}))

    async def texts(self, path: str, token: str | None = None, cookie: str = "floorcast_floor") -> Texts:
        answer = await self.open(path, token, cookie)
        assert answer.status_code == 200, answer.text
        return Texts(answer.text)

    async def send(self, path: str, form: dict[str, str], token: str | None = None, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        own = {"origin": "http://127.0.0.1:8080", **named, **BROWSER}
        cookie = {} if token is None else {"cookie": f"floorcast_floor={token}"}
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            return await client.post(
                path, data=form, headers={key: value for key, value in {**own, **cookie}.items() if value}
            )


def call(id: str, rep: str, at: str = "2026-03-18T06:00Z") -> Any:
    return change("call", id, rep=rep, direction="outbound", dialed_at=at)


def money(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "USD"}


@pytest.fixture
def floor(tmp_path: Path) -> Page:
    config = floor_config(goals=GOALS, pipelines={"main": {"steps": ["demo", "offer"]}, "more": {"steps": ["call"]}})
    floor = Page(tmp_path, config, NOW)
    floor.take(
        *(call(f"c{number}", "r1") for number in range(3)),
        call("c-ben", "r2"),
        call("c-cleo", "r3"),
        call("c-early", "r2", "2026-03-02T06:00Z"),
        change("lead", "l1", rep="r1", name="Kim <b>Doe</b>", source="demo_request", received_at="2026-03-18T07:00Z"),
        change("lead", "l3", rep="r3", name="Lena Fox", source="web", received_at="2026-03-18T07:30Z"),
        change("deal", "d1", rep="r1", name="Acme & Sons", status="open", stage="demo", pipeline="main", **money(900)),
        change("deal", "d3", rep="r3", name="Globex", status="open", stage="demo", pipeline="main", **money(500),
               next_step_at="2026-04-01T00:00Z"),
        change("deal", "w1", rep="r1", name="Won it", status="won", **money(250), closed_at="2026-03-18T05:00Z"),
    )  # fmt: skip
    floor.view.advance(floor.now)
    floor.app.state.alert_actions = FakeActions()
    return floor


def breach(floor: Page, lead: str) -> str:
    clock = floor.view.clocks[lead]
    assert clock.started_at is not None
    assert clock.due_at is not None
    team = floor.view.roster.team_on(clock.rep, floor.view.calendar.day_of(floor.now))
    alert = Alert(
        f"{lead}/breach", "lead_response", "breach", lead, clock.rep, team, clock.started_at, clock.due_at, clock.due_at
    )
    floor.view.apply(ALERTS.name, alert.id.encode(), encode_alert(alert))
    return alert.id


# -------------------------------------------------------------------------------------------------- what stands there


async def test_a_row_for_each_rep_with_what_the_floor_counts(floor: Page) -> None:
    page = await floor.texts("/floor?window=month")

    head, ana = ([" ".join(cell.split()) for cell in row] for row in page.rows[:2])
    assert head == ["Rank", "Rep", "Calls made", "Deals won", "Revenue won", "Win rate"]
    assert ana == ["1", "Ana North", "3 30% of 10 · behind pace", "1", "$250 100% of $250 · reached", "100%"]
    assert all(name in page.of("reps") for name in ("Ana", "Ben", "Cleo", "Dora"))
    assert "r1" not in page.of("reps")


async def test_names_from_outside_are_text(floor: Page) -> None:
    answer = await floor.open("/floor")

    assert "Kim &lt;b&gt;Doe&lt;/b&gt;" in answer.text
    assert "Acme &amp; Sons" in answer.text


async def test_the_window_and_the_dates_stand_in_the_address(floor: Page) -> None:
    month = await floor.texts("/floor?window=month")
    march = await floor.texts("/floor?from=2026-03-01&to=2026-03-05")

    assert "Ben" in month.of("reps")
    assert re.search(r"Calls made 6\b", month.of("figures"))
    assert re.search(r"Calls made 1\b", march.of("figures"))
    dates = march.named("from") + march.named("to")
    assert [(given["type"], given["value"]) for given in dates] == [("date", "2026-03-01"), ("date", "2026-03-05")]
    assert {"from", "to", "team", "by", "compare"} <= march.labels


async def test_dates_that_were_chosen_take_the_place_of_the_window(floor: Page) -> None:
    answer = await floor.open(
        "/floor?window=month&from=2026-03-01&to=2026-03-05&team=&metrics=calls_made&metrics=deals_won"
    )

    assert answer.status_code == 303
    assert answer.headers["location"] == "/floor?from=2026-03-01&to=2026-03-05&metrics=calls_made%2Cdeals_won"


@pytest.mark.parametrize("unknown", ["teams=north", "utm_source=mail", "Window=week", "%00=1", "x=&window="])
async def test_the_address_says_what_is_shown_and_nothing_that_the_page_does_not_know(
    floor: Page, unknown: str
) -> None:
    answer = await floor.open(f"/floor?window=month&{unknown}")

    assert (answer.status_code, answer.headers["location"]) == (303, "/floor?window=month")


async def test_every_view_has_a_link_and_links_keep_the_rest(floor: Page) -> None:
    page = await floor.texts("/floor?window=month&team=north&by=team&compare=last_year&metrics=calls_made&language=en")
    wanted = {
        "window": ["month"],
        "team": ["north"],
        "by": ["team"],
        "compare": ["last_year"],
        "metrics": ["calls_made"],
    }

    own = [href for href in page.hrefs() if href.startswith("/floor?")]
    last = next(href for href in own if "from=2026-02-01" in href)
    assert parse_qs(urlsplit(last).query) == {
        **{name: value for name, value in wanted.items() if name != "window"},
        "from": ["2026-02-01"], "to": ["2026-02-28"], "language": ["en"],
    }  # fmt: skip
    for href in own:
        assert (await floor.open(href.partition("#")[0])).status_code == 200, href


async def test_a_team_shows_its_people_leads_and_deals_alone(floor: Page) -> None:
    page = await floor.texts("/floor?team=south")

    assert "Cleo" in page.of("reps")
    assert "Ana" not in page.of("reps")
    assert "Lena Fox" in page.of("waiting")
    assert "Kim" not in page.of("waiting")
    assert "Globex" in page.of("deals")
    assert "Acme" not in page.of("deals")
    assert re.search(r"Calls made 1\b", page.of("figures"))


async def test_the_control_of_teams_has_their_names(floor: Page) -> None:
    page = await floor.texts("/floor?team=north")

    options = [given for tag, given in page.controls if tag == "option"]
    assert {"north", "south"} <= {given["value"] for given in options}
    assert "North" in page.of("team")
    assert "All teams" in page.of("team")
    assert next(given["value"] for given in options if "selected" in given) == "north"


async def test_comparisons_and_goals_stand_beside_the_values(floor: Page) -> None:
    page = await floor.texts("/floor?window=month&compare=previous")
    share = await floor.texts("/floor?window=month&compare=share")
    none = await floor.texts("/floor?window=month&compare=none")

    assert "15% of 40 · behind pace" in page.of("figures")
    assert "25% of $1,000" in page.of("figures")
    assert "50%" in share.of("reps")
    assert "50%" not in none.of("reps").replace("50% of", "")


async def test_a_division_shows_its_parts(floor: Page) -> None:
    page = await floor.texts("/floor?by=team&metrics=calls_made")

    assert "North" in page.of("segments")
    assert "south" in page.of("segments")
    assert "4" in page.of("segments")


async def test_any_metric_can_be_chosen_and_sorted_by(floor: Page) -> None:
    page = await floor.texts("/floor?metrics=emails_sent,calls_made&sort=calls_made")
    boxes = page.named("metrics")

    assert len(boxes) > 100
    assert {given["value"] for given in boxes if "checked" in given} == {"emails_sent", "calls_made"}
    assert page.of("reps").index("Ana") < page.of("reps").index("Ben")
    assert "by Calls made" in page.of("reps")


async def test_a_source_is_read_as_words(floor: Page) -> None:
    page = await floor.texts("/floor")

    assert "demo request" in page.of("waiting")
    assert "demo request" in page.of("leads")
    assert "demo_request" not in page.of("main")


async def test_a_key_that_nobody_knows_is_refused_where_everything_is_open_too(floor: Page) -> None:
    answer = await floor.open("/me?token=fc_no.key")

    assert "This key is not valid" in answer.text


async def test_waiting_leads_stand_by_state_with_who_has_to_answer(floor: Page) -> None:
    page = await floor.texts("/floor")

    assert page.of("waiting").index("Kim") < page.of("waiting").index("Lena Fox")
    assert "Breached · Ana" in page.of("waiting")
    assert "1 breached" in page.of("waiting")
    assert "40m 20s" in page.of("waiting")


async def test_open_deals_and_leads_can_be_asked_for_by_flag(floor: Page) -> None:
    page = await floor.texts("/floor?flag=no_next_step&lead_flag=late")

    assert "Acme" in page.of("deals")
    assert "Globex" not in page.of("deals")
    assert "Kim" in page.of("leads")
    assert "Lena Fox" not in page.of("leads")


async def test_the_funnel_is_that_of_the_pipeline(floor: Page) -> None:
    first, more = await floor.texts("/floor?window=month"), await floor.texts("/floor?window=month&pipeline=more")

    assert "Demo" in first.of("funnel")
    assert "Offer" in first.of("funnel")
    assert "Call" in more.of("funnel")
    assert "Offer" not in more.of("funnel")


async def test_goals_show_twelve_periods(floor: Page) -> None:
    page = await floor.texts("/floor")

    assert page.of("goals").count("2025") == 18  # nine months of 2025 for each of two goals
    assert "Apr 2025" in page.of("goals")
    assert "Mar 2026" in page.of("goals")
    # Only of those in which, or after which, something was counted.
    assert page.of("goals").count("missed") == 0


async def test_on_a_closed_day_no_goal_of_a_day_is_behind(tmp_path: Path) -> None:
    hours = {"timezone": "Asia/Kuala_Lumpur", "hours": {"mon-fri": ["09:00-18:00"]}}
    config = floor_config(
        organisation={"name": "Acme", "timezone": "Asia/Kuala_Lumpur", "currency": "USD", "calendar": "office"},
        calendars={"office": hours},
        teams={"north": {"calendar": "office"}, "south": {"calendar": "office"}},
        goals={"calls": {"metric": "calls_made", "period": "day", "amounts": [{"each": 10}]}},
    )
    sunday = Page(tmp_path, config, "2026-03-22T07:40:00Z")
    sunday.take(call("c1", "r1", "2026-03-19T06:00Z"))
    sunday.view.advance(sunday.now)
    goals = (await sunday.texts("/floor?window=month")).of("goals")

    assert "Mar 20" in goals
    assert "heading for" not in goals
    assert goals.count("missed") == 2  # Thursday and Friday: nothing was counted before


async def test_tables_are_there_as_csv_for_whoever_sees_the_page(floor: Page) -> None:
    token = floor.token()
    page = await floor.texts("/floor?window=month&team=north", token)

    tables = [href for href in page.hrefs() if "format=csv" in href]
    assert len(tables) == 2
    for href in tables:
        answer = await floor.get(href, headers={"cookie": f"floorcast_floor={token}"})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8"), href
    assert "Ana,north" in (await floor.get(tables[0], headers={"cookie": f"floorcast_floor={token}"})).text


async def test_a_new_installation_says_what_to_do(tmp_path: Path) -> None:
    page = await Page(tmp_path, floor_config(reps={}, teams={}), NOW).texts("/floor")

    assert "No reps yet" in page.of("reps")
    assert "/webhooks/feed" in page.of("main")


async def test_many_reps_come_in_pages(tmp_path: Path) -> None:
    reps = {f"r{number:03}": {"name": f"Person {number:03}"} for number in range(130)}
    floor = Page(tmp_path, floor_config(reps=reps), NOW)
    floor.take(call("c1", "r129"))

    first, second = await floor.texts("/floor"), await floor.texts("/floor?start=100")

    assert "Person 129" in first.of("reps")
    assert "1–100 of 130" in first.of("reps")
    assert "Person 128" in second.of("reps")
    assert "Person 129" not in second.of("reps")


@pytest.mark.parametrize(("accepts", "said"), [("de", "Verkäufer"), ("fa-IR", "فروشندگان"), ("zh-TW", "業務")])
async def test_it_speaks_the_readers_language(floor: Page, accepts: str, said: str) -> None:
    answer = await floor.get("/floor", headers=BROWSER | {"accept-language": accepts})

    assert said in answer.text
    assert ('dir="rtl"' in answer.text) == (accepts == "fa-IR")
    if accepts == "fa-IR":
        assert "۲۷ اسفند ۱۴۰۴" in answer.text
        words = re.sub(r"<[^>]*>", " ", "<" + answer.text.partition("<main")[2].partition("<footer")[0])
        assert re.findall(r"[0-9]", words) == []


# ------------------------------------------------------------------------------------------------------ who may open it


async def test_the_key_goes_into_the_cookie_and_out_of_the_address(floor: Page) -> None:
    token = floor.token()

    opened = await floor.open(f"/floor?token={token}&window=month")

    assert (opened.status_code, opened.headers["location"]) == (303, "/floor?window=month")
    cookie = opened.headers["set-cookie"]
    assert cookie.startswith(f"floorcast_floor={token};")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    assert (await floor.open("/floor", token)).status_code == 200


async def test_behind_tls_the_cookie_is_secure(floor: Page) -> None:
    token = floor.token()
    transport = httpx.ASGITransport(floor.app)
    async with httpx.AsyncClient(transport=transport, base_url="https://127.0.0.1:8443") as client:
        opened = await client.get(f"/floor?token={token}", headers=BROWSER)

    assert "Secure" in opened.headers["set-cookie"]


@pytest.mark.parametrize(
    ("scope", "more", "status"),
    [("read", {}, 200), ("admin", {}, 200), ("board", {}, 403), ("rep", {"rep": "r1"}, 403)],
)
async def test_the_floor_needs_a_key_that_reads(floor: Page, scope: str, more: Any, status: int) -> None:
    answer = await floor.open("/floor", floor.token(scope, **more))

    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")


async def test_who_has_no_key_finds_a_door(floor: Page) -> None:
    floor.token()

    answer = await floor.open("/floor?window=month")

    assert answer.status_code == 401
    assert 'name="token"' in answer.text
    assert 'value="/floor?window=month"' in answer.text
    assert "not valid" not in answer.text
    program = await floor.get("/floor")
    assert program.headers["content-type"] == "application/problem+json"


async def test_a_key_that_is_typed_opens_the_door(floor: Page) -> None:
    token = floor.token()

    answer = await floor.send("/floor/key", {"token": f" {token} ", "next": "/floor?window=month"})

    assert (answer.status_code, answer.headers["location"]) == (303, "/floor?window=month")
    assert answer.headers["set-cookie"].startswith("floorcast_floor=")


@pytest.mark.parametrize(
    "next", ["https://evil.example/", "//evil.example", "/board/floor", "javascript:alert(1)", "/floor/x"]
)
async def test_the_door_leads_nowhere_else(floor: Page, next: str) -> None:
    answer = await floor.send("/floor/key", {"token": floor.token(), "next": next})

    assert answer.headers["location"] == "/floor"


async def test_a_reps_key_opens_their_own_page_from_any_door(floor: Page) -> None:
    answer = await floor.send("/floor/key", {"token": floor.token("rep", rep="r1")})

    assert answer.headers["location"] == "/me"
    assert answer.headers["set-cookie"].startswith("floorcast_me=")


async def test_a_key_of_a_team_that_asks_for_another_is_told_so_and_let_back(floor: Page) -> None:
    answer = await floor.open("/floor?team=south", floor.token(team="north"))

    assert answer.status_code == 403
    assert "This key may not see that" in answer.text
    assert 'href="/floor"' in answer.text
    assert "not one rep" not in answer.text


@pytest.mark.parametrize("kind", ["wrong", "expired", "revoked"])
async def test_a_refused_key_is_told_so(floor: Page, kind: str) -> None:
    token = floor.token(expires_at=floor.now + HOUR) if kind == "expired" else floor.token()
    floor.token("admin")
    if kind == "wrong":
        token = "fc_abc.def"  # noqa: S105 - of nobody
    elif kind == "revoked":
        revoke_key(floor.settings.keys, list_keys(floor.settings.keys)[0].id)
    else:
        floor.now += HOUR

    answers = [
        await floor.open("/floor", token),
        await floor.open(f"/floor?token={token}"),
        await floor.send("/floor/key", {"token": token}),
    ]
    for answer in answers:
        assert answer.status_code == 401
        assert "This key is not valid. It has expired, was revoked" in answer.text
        assert token not in answer.text


async def test_a_key_of_one_team_shows_that_team(floor: Page) -> None:
    token = floor.token("admin", team="south")
    page = await floor.texts("/floor", token)

    assert "Cleo" in page.of("reps")
    assert "Ana" not in page.of("reps")
    assert "All teams" not in page.of("team")
    assert "North" not in page.of("team")
    assert (await floor.open("/floor?team=north", token)).status_code == 403


async def test_the_cookie_reads_and_acts_nowhere_else(floor: Page) -> None:
    cookie = {"cookie": f"floorcast_floor={floor.token('admin')}"}

    assert (await floor.get("/v1/reps/metrics?page=floor", headers=cookie)).status_code == 200
    assert (await floor.get("/v1/reps/metrics", headers=cookie)).status_code == 401
    assert (await floor.get("/v1/dead-letters?page=floor", headers=cookie)).status_code == 403
    assert (await floor.get("/me", headers=cookie | BROWSER)).status_code == 401
    assert (await floor.post("/v1/alerts/a/acknowledge?page=floor", {}, headers=cookie)).status_code == 403


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ("team=nowhere", 404, "There is no team “nowhere”"),
        ("metrics=calls_made,reveneu", 422, "There is no metric “reveneu”"),
        ("sort=reveneu", 422, "There is no metric “reveneu”"),
        ("window=fortnight", 422, "There is no time span “fortnight”"),
        ("from=2026-02-30&to=2026-03-01", 422, "“2026-02-30” is not a date"),
        ("from=2026-03-01", 422, "From and to belong together"),
        ("from=2026-03-02&to=2026-03-01", 422, "from comes first"),
        ("compare=tomorrow", 422, "“tomorrow” cannot be shown"),
        ("by=shoes", 422, "“shoes” cannot be shown"),
        ("flag=red", 422, "“red” cannot be shown"),
        ("start=-1", 422, "“-1” cannot be shown"),
        ("language=xx", 422, "“xx” cannot be shown"),
        ("team=%3Cb%3E", 404, "There is no team “&lt;b&gt;”"),
    ],
)
async def test_what_means_nothing_is_named_in_a_sentence(floor: Page, asked: str, status: int, said: str) -> None:
    answer = await floor.open(f"/floor?{asked}")

    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert said in answer.text
    assert (await floor.get(f"/floor?{asked}")).headers["content-type"] == "application/problem+json"


async def test_an_error_is_in_the_readers_language(floor: Page) -> None:
    answer = await floor.get("/floor?team=nowhere", headers=BROWSER | {"accept-language": "de"})

    assert "Es gibt kein Team „nowhere“" in answer.text


async def test_an_api_that_loads_says_so(floor: Page) -> None:
    floor.read_side.consumer.is_loaded = False

    answer = await floor.open("/floor")

    assert answer.status_code == 503
    assert "not ready yet" in answer.text


# ------------------------------------------------------------------------------------------------------- what is done


async def test_an_admin_acknowledges_and_snoozes(floor: Page) -> None:
    alert, token = breach(floor, "l1"), floor.token("admin")
    page = await floor.texts("/floor?window=month", token)

    assert {given["value"] for given in page.named("do")} == {"acknowledge", "snooze"}
    sent = {"alert": alert, "next": "/floor?window=month"}
    acknowledged = await floor.send("/floor/alerts", {**sent, "do": "acknowledge"}, token)
    snoozed = await floor.send("/floor/alerts", {**sent, "do": "snooze", "for": "4h"}, token)

    assert acknowledged.headers["location"] == snoozed.headers["location"] == "/floor?window=month#waiting"
    first, second = (decode_action(each) for each in floor.app.state.alert_actions.taken)
    assert (first.alert, first.snoozed_until, first.by) == (alert, None, list_keys(floor.settings.keys)[0].id)
    assert (second.alert, second.snoozed_until) == (alert, floor.now + 4 * HOUR)


async def test_who_may_only_read_sees_no_buttons_and_is_refused(floor: Page) -> None:
    alert, token = breach(floor, "l1"), floor.token("read")

    assert (await floor.texts("/floor", token)).named("do") == []
    assert (await floor.send("/floor/alerts", {"alert": alert, "do": "acknowledge"}, token)).status_code == 403
    assert floor.app.state.alert_actions.taken == []


@pytest.mark.parametrize(
    "from_elsewhere",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
@pytest.mark.parametrize("has_keys", [True, False])
async def test_a_page_of_another_site_does_nothing(floor: Page, from_elsewhere: dict[str, str], has_keys: bool) -> None:
    alert, token = breach(floor, "l1"), floor.token("admin") if has_keys else None

    answer = await floor.send("/floor/alerts", {"alert": alert, "do": "acknowledge"}, token, **from_elsewhere)

    assert answer.status_code == 403
    assert floor.app.state.alert_actions.taken == []


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"alert": "nobody's", "do": "acknowledge"}, 404),
        ({"do": "forget"}, 422),
        ({"do": "snooze", "for": "ever"}, 422),
        ({"do": "snooze", "for": "31d"}, 422),
    ],
)
async def test_an_action_that_means_nothing_is_refused(floor: Page, form: dict[str, str], status: int) -> None:
    alert = breach(floor, "l1")

    assert (await floor.send("/floor/alerts", {"alert": alert, **form}, floor.token("admin"))).status_code == status


async def test_a_form_that_does_not_end_is_cut_off(floor: Page) -> None:
    assert (await floor.send("/floor/key", {"token": "x" * 20_000})).status_code == 413


# ------------------------------------------------------------------------------------------------------------- a rep's


async def test_a_rep_sees_what_is_their_own(floor: Page) -> None:
    token = floor.token("rep", rep="r1")
    opened = await floor.open(f"/me?token={token}")
    page = await floor.texts("/me?window=month", token, "floorcast_me")
    whole = (await floor.open("/me", token, "floorcast_me")).text

    assert (opened.status_code, opened.headers["location"]) == (303, "/me")
    assert opened.headers["set-cookie"].startswith("floorcast_me=")
    assert "HttpOnly" in opened.headers["set-cookie"]
    assert re.search(r"Calls made 3\b", page.of("figures"))
    assert "30% of 10" in page.of("figures")
    assert "Kim" in page.of("waiting")
    assert "Acme" in page.of("deals")
    assert "Won it" in page.of("wins")
    assert [given["type"] for name in ("from", "to") for given in page.named(name)] == ["date", "date"]
    assert "best" not in [given.get("value") for kind, given in page.controls if kind == "option"]
    assert "<h1><bdi>Ana</bdi></h1>" in whole
    assert not [name for name in ("Ben", "Cleo", "Dora", "Lena Fox", "Globex", "south") if name in whole]


async def test_the_stream_of_a_reps_page_is_theirs(floor: Page) -> None:
    token = floor.token("rep", rep="r1")
    whole = (await floor.open("/me", token, "floorcast_me")).text
    cookie = {"cookie": f"floorcast_me={token}"}

    stream = re.findall(r'data-stream="([^"]*)"', whole)[0].replace("&amp;", "&")
    assert "page=me" in stream
    assert "teams" not in stream
    assert (await floor.get("/v1/reps/r1/metrics?page=me", headers=cookie)).status_code == 200
    assert (await floor.get("/v1/reps/r2/metrics?page=me", headers=cookie)).status_code == 404
    assert (await floor.get("/v1/reps/r1/metrics?page=floor", headers=cookie)).status_code == 401


@pytest.mark.parametrize("asked", ["team=north", "compare=best", "compare=team", "metrics=nothing", "window=fortnight"])
async def test_a_rep_asks_for_nothing_of_others(floor: Page, asked: str) -> None:
    answer = await floor.open(f"/me?{asked}", floor.token("rep", rep="r1"), "floorcast_me")

    assert answer.status_code in {403, 404, 422}


async def test_a_rep_who_is_not_there_is_told_so(floor: Page) -> None:
    answer = await floor.open("/me", floor.token("rep", rep="gone"), "floorcast_me")

    assert answer.status_code == 404
    assert "nobody of that name" in answer.text


@pytest.mark.parametrize("scope", ["read", "admin", "board"])
async def test_a_key_of_nobody_opens_no_page_of_a_rep(floor: Page, scope: str) -> None:
    answer = await floor.open("/me", floor.token(scope), "floorcast_me")

    assert answer.status_code == 403
    assert 'name="token"' in answer.text


# ------------------------------------------------------------------------------------------------------ where `/` leads


async def test_the_bare_address_leads_to_what_there_is(floor: Page) -> None:
    assert (await floor.open("/")).headers["location"] == "/board/floor"
    token = floor.token()
    assert (await floor.open("/")).headers["location"] == "/floor"
    assert (await floor.open("/", token)).headers["location"] == "/floor"
    assert (await floor.open("/", floor.token("rep", rep="r1"), "floorcast_me")).headers["location"] == "/me"


async def test_a_page_is_kept_by_nobody_and_runs_nothing_but_its_own(floor: Page) -> None:
    answer = await floor.open("/floor")

    assert answer.headers["cache-control"] == "no-store"
    policy = answer.headers["content-security-policy"]
    assert "form-action 'self'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"\sstyle=|<style|<script(?![^>]*src=)|\son\w+=", answer.text)
