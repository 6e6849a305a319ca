"""The wallboard in a real browser, against a scripted stream.

Owns the page's behaviour; what the api really streams has tests of its own.
"""

import json
import queue
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

STATIC = Path(__file__).parents[2] / "api" / "static"
CHROMIUM = Path("/usr/bin/chromium")
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'"
CONTENT_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
TEAMS = {"north": "North", "south": "South", "enterprise": "Enterprise"}
NAMES = """
Ana Lim, Marcus Okafor, Priya Raman, Jonas Weber, Chloé Martin, Diego Fernández, Siti Nurhaliza, Tom Becker,
Yuki Tanaka, Fatima Zahra El Idrissi, Owen Price, Lena Schäfer, Ravi Shankar, Grace Mbeki, Noah Lindqvist,
Mei Chen, Lucas Silva, Hana Kim, Omar Haddad, Ella Johansson, Victor Popescu, Aisha Bello, Kenji Mori,
Sofia Rossi, Daniel Cohen, Nur Aini, Patrick O'Neill, Ines Costa, Arjun Mehta, Zoe Dubois, Felix Braun,
Leila Karimi, Sam Taylor, Maria Alexandropoulou-Konstantinidis, Ivan Petrov, Rosa Jiménez, Peter Novak,
Amara Diallo, Kai Nguyen, Emil Hansen
"""
REPS = [name.strip() for name in NAMES.split(",")]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium"),
]

Json = dict[str, Any]

DASH = "\N{EN DASH}"


def instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> datetime:
    return datetime.now(UTC)


def make_row(metrics: Json, **key: Any) -> Json:
    return {
        **key,
        "window": {"name": "today", "from": "2026-03-18T00:00:00.000Z", "to": "2026-03-19T00:00:00.000Z"},
        "as_of": instant(now()),
        "currency": "USD",
        "metrics": metrics,
        "bounds": {},
    }


def make_rep(number: int, name: str, calls: int, team: str = "north", **metrics: Any) -> Json:
    return make_row({"calls_made": calls, "emails_sent": 2 * calls, **metrics}, rep=f"r-{number}", name=name, team=team)


def make_reps(count: int) -> list[Json]:
    teams = list(TEAMS)
    return [
        make_rep(number, name, 6 + (number * 37 + number * number) % 58, teams[number % 3])
        for number, name in enumerate(REPS[:count], 1)
    ]


ORGANISATION = {
    "calls_made": 1284,
    "connect_rate": 0.3123,
    "conversations": 207,
    "talk_seconds": 50_120,
    "emails_sent": 1906,
    "emails_received": 388,
    "meetings_held": 31,
    "meetings_booked": 44,
    "deals_won": 12,
    "win_rate": 0.4286,
    "revenue_won": "184250.00",
    "average_deal_size": "15354.17",
    "lead_response_within_sla": 0.9234,
    "lead_response_seconds_p50": 762.0,
}


def make_lead(lead: str, waited: float, sla: float = 3600, **fields: Any) -> Json:
    """Return a lead that has waited `waited` of its `sla` seconds, in the state that the server would give."""
    started = now() - timedelta(seconds=waited)
    state = "breached" if waited >= sla else "warned" if waited >= 0.75 * sla else "waiting"
    return {
        "lead": lead,
        "rep": "r-1",
        "team": "north",
        "source": "demo_request",
        "started_at": instant(started),
        "due_at": instant(started + timedelta(seconds=sla)),
        "waiting_seconds": waited,
        "business_seconds": waited,
        "state": state,
        **fields,
    }


def make_alert(number: int, level: str, **fields: Any) -> Json:
    return {
        "id": f"a-{number}",
        "kind": "lead_response",
        "level": level,
        "lead": f"l-{number}",
        "rep": f"r-{number}",
        "team": "north",
        "due_at": instant(now() - timedelta(minutes=number)),
        "raised_at": instant(now() - timedelta(minutes=number)),
        "resolved_at": None,
        "acknowledged_at": None,
        **fields,
    }


def make_crossing(number: int, metric: str, comparison: str = "below", limit: Any = 10, **fields: Any) -> Json:
    return make_alert(number, "warn") | {
        "kind": "metric_threshold",
        "lead": None,
        "metric": metric,
        "window": "today",
        "comparison": comparison,
        "limit": limit,
        "value": limit,
        "currency": None,
        **fields,
    }


def make_freshness(**fields: Any) -> Json:
    return {
        "server_time": instant(now()),
        "connections": [
            {"connection": "crm", "last_delivery_at": instant(now() - timedelta(seconds=3))},
            {"connection": "dialer", "last_delivery_at": instant(now() - timedelta(seconds=41))},
        ],
        "end_to_end_seconds": {"p50": 0.041, "p95": 0.118, "p99": 0.204},
        **fields,
    }


def make_verification(at: datetime, differences: int = 0, *, stale: bool = False) -> Json:
    return {"verified_at": instant(at), "differences": differences, "stale": stale, "every_seconds": 300.0}


def make_snapshot(**fields: Any) -> Json:
    teams = [make_row({"calls_made": 400}, team=team, name=name) for team, name in TEAMS.items()]
    return {
        "rows": [make_row(ORGANISATION), *teams, *make_reps(12)],
        "leads": [make_lead("l-1", 1500)],
        "alerts": [],
        "freshness": make_freshness(),
        "organisation": {"name": "Acme", "timezone": "Asia/Kuala_Lumpur", "currency": "USD"},
        "server_time": instant(now()),
        "build": "1",
        **fields,
    }


CATALOGUE = [
    {"name": name, "label": label, "unit": unit, "definition": "", "version": 1}
    for name, label, unit in (
        ("calls_made", "Calls made", "count"),
        ("conversations", "Conversations", "count"),
        ("emails_sent", "Emails sent", "count"),
        ("meetings_held", "Meetings held", "count"),
        ("deals_won", "Deals won", "count"),
        ("revenue_won", "Revenue won", "money"),
        ("connect_rate", "Connect rate", "ratio"),
        ("win_rate", "Win rate", "ratio"),
        ("talk_seconds", "Talk time", "seconds"),
        ("lead_response_seconds_p50", "Response time (median)", "seconds"),
    )
]


class Floor:
    """What the server knows and says: the snapshot for whoever connects, events to all, and its failures."""

    def __init__(self) -> None:
        self.snapshot = make_snapshot()
        self.is_refusing = False
        self.is_silent = False
        self.number = 0
        self.requests: list[tuple[str, str | None]] = []
        self._screens: list[queue.SimpleQueue[bytes | None]] = []
        self._lock = threading.Lock()

    def event(self, kind: str, data: Json) -> bytes:
        self.number += 1
        return f"id: i1:{self.number}\nevent: {kind}\ndata: {json.dumps(data)}\n\n".encode()

    def publish(self, kind: str, data: Json) -> None:
        with self._lock:
            self._say(self.event(kind, data))

    def say_raw(self, text: str) -> None:
        with self._lock:
            self._say(text.encode())

    def cut(self) -> None:
        """Break every open connection."""
        with self._lock:
            self._say(None)
            self._screens.clear()

    def connect(self) -> queue.SimpleQueue[bytes | None]:
        with self._lock:
            screen: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
            if not self.is_silent:
                screen.put(self.event("snapshot", self.snapshot))
            self._screens.append(screen)
            return screen

    def _say(self, what: bytes | None) -> None:
        for screen in self._screens:
            screen.put(what)


class FloorServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 32

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), FloorHandler)
        self.floor = Floor()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class FloorHandler(BaseHTTPRequestHandler):
    server: FloorServer

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.server.floor.requests.append((self.path, self.headers.get("Last-Event-ID")))
        if path == "/v1/stream":
            self._stream()
        elif path == "/v1/metrics":
            self._answer(200, "application/json", json.dumps({"rows": CATALOGUE}).encode())
        else:
            name = "board.html" if path.startswith("/board/") else path.removeprefix("/static/")
            file = STATIC / name
            if file.is_file():
                self._answer(200, CONTENT_TYPES[file.suffix], file.read_bytes())
            else:
                self._answer(404, "text/plain", b"")

    def log_message(self, *arguments: Any) -> None:
        """Log nothing: tests read `requests`."""

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        floor = self.server.floor
        if floor.is_refusing:
            self._answer(503, "text/plain", b"")
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        screen = floor.connect()
        self.wfile.write(b"retry: 200\n\n")
        while (chunk := screen.get()) is not None:
            try:
                self.wfile.write(chunk)
            except OSError:
                return


class Screen:
    """One page with the wallboard and what its console said."""

    def __init__(self, page: Page, server: FloorServer) -> None:
        self.page = page
        self.floor = server.floor
        self._url = server.url
        self.complaints: list[str] = []
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def open(self, query: str = "") -> None:
        self.page.goto(f"{self._url}/board/floor{query}")

    def tile(self, name: str) -> Any:
        return self.page.locator(f'[data-tile="{name}"]')

    def figure(self, metric: str) -> Any:
        return self.page.locator(f'.figure[data-metric="{metric}"] .value')

    def rep(self, rep: str) -> Any:
        return self.page.locator(f'[data-tile="leaderboard"] .row[data-rep="{rep}"]')

    def lead(self, lead: str) -> Any:
        return self.page.locator(f'[data-tile="leads"] .row[data-lead="{lead}"]')

    def names(self) -> Any:
        return self.page.locator('[data-tile="leaderboard"] .row .name')


def launch(playwright: Playwright) -> Browser:
    quiet = "--disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync"
    return playwright.chromium.launch(
        executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu", *quiet.split()]
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def server() -> Iterator[FloorServer]:
    server = FloorServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.floor.cut()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1920, "height": 1080}, locale="en-US")
    yield context
    context.close()


@pytest.fixture
def screen(context: BrowserContext, server: FloorServer) -> Screen:
    return Screen(context.new_page(), server)


def test_board_shows_the_numbers_of_the_organisation_with_their_units(screen: Screen) -> None:
    screen.open()

    expect(screen.figure("calls_made")).to_have_text("1,284")
    expect(screen.figure("revenue_won")).to_have_text("$184,250")
    expect(screen.page.locator('.figure[data-metric="calls_made"] .note')).to_have_text("31% connected")
    expect(screen.page.locator('.figure[data-metric="conversations"] .note')).to_have_text("13h 55m talk time")
    expect(screen.tile("leads").locator(".answered")).to_have_text("92% in time")
    expect(screen.tile("title")).to_contain_text("Acme")
    expect(screen.tile("status")).to_contain_text("Live")
    assert screen.complaints == []


def test_a_null_is_a_dash_and_a_zero_is_a_zero(screen: Screen) -> None:
    screen.floor.snapshot = make_snapshot(rows=[make_row({"calls_made": 0, "win_rate": None})])
    screen.open("?metrics=calls_made,win_rate,deals_won")

    expect(screen.figure("calls_made")).to_have_text("0")
    expect(screen.figure("win_rate")).to_have_text(DASH)
    expect(screen.figure("deals_won")).to_have_text(DASH)


def test_a_percentile_without_a_value_shows_its_bound(screen: Screen) -> None:
    row = make_row({"lead_response_seconds_p50": None})
    screen.floor.snapshot = make_snapshot(rows=[{**row, "bounds": {"lead_response_seconds_p50": 300}}])
    screen.open("?metrics=lead_response_seconds_p50")
    expect(screen.figure("lead_response_seconds_p50")).to_have_text("> 5m 00s")

    screen.floor.publish("metrics", {"rows": [make_row({"lead_response_seconds_p50": 240})]})

    expect(screen.figure("lead_response_seconds_p50")).to_have_text("4m 00s")


@pytest.mark.parametrize(
    ("metric", "value", "shown"),
    [
        ("win_rate", 0.99996, "99.9%"),
        ("win_rate", 0.0002, "< 0.1%"),
        ("win_rate", 1.0, "100%"),
        ("win_rate", 0.0512, "5.1%"),
        ("sales_cycle_days_p50", 23.46, "23.5 d"),
        ("talk_seconds", 59, "59s"),
        ("lead_response_seconds_p50", 93_600, "1d 2h"),
        ("revenue_won", "48.50", "$48.50"),
        ("revenue_won", "0", "$0"),
        ("revenue_won", "-1250.00", "-$1,250"),
    ],
)
def test_values_are_written_for_people(screen: Screen, metric: str, value: Any, shown: str) -> None:
    screen.floor.snapshot = make_snapshot(rows=[make_row({metric: value})])
    screen.open(f"?metrics={metric}")

    expect(screen.figure(metric)).to_have_text(shown)


def test_money_too_long_for_its_place_is_shortened_not_cut(screen: Screen) -> None:
    screen.floor.snapshot = make_snapshot(rows=[make_row({**ORGANISATION, "revenue_won": "123456789.50"})])
    screen.open()

    expect(screen.figure("revenue_won")).to_have_text("$123.5M")


def test_a_change_merges_into_what_is_known(screen: Screen) -> None:
    screen.open()
    expect(screen.figure("calls_made")).to_have_text("1,284")

    screen.floor.publish("metrics", {"rows": [make_row({"calls_made": 1285})]})

    expect(screen.figure("calls_made")).to_have_text("1,285")
    expect(screen.figure("conversations")).to_have_text("207")


def test_a_correction_lowers_a_number(screen: Screen) -> None:
    screen.open()
    expect(screen.figure("deals_won")).to_have_text("12")

    screen.floor.publish("metrics", {"rows": [make_row({"deals_won": 11})]})

    expect(screen.figure("deals_won")).to_have_text("11")


def test_rows_of_other_windows_are_left_alone(screen: Screen) -> None:
    screen.open()
    expect(screen.figure("calls_made")).to_have_text("1,284")

    screen.floor.publish("metrics", {"rows": [{**make_row({"calls_made": 9999}), "window": {"name": "month"}}]})
    screen.floor.publish("metrics", {"rows": [make_row({"deals_won": 13})]})

    expect(screen.figure("deals_won")).to_have_text("13")
    expect(screen.figure("calls_made")).to_have_text("1,284")


def test_equal_values_share_a_rank_and_the_next_rank_is_skipped(screen: Screen) -> None:
    reps = [make_rep(1, "Ana", 9), make_rep(2, "Ben", 7), make_rep(3, "Cy", 7), make_rep(4, "Di", 5)]
    screen.floor.snapshot = make_snapshot(rows=[make_row(ORGANISATION), *reps])
    screen.open()

    expect(screen.names()).to_have_text(["Ana", "Ben", "Cy", "Di"])
    expect(screen.page.locator(".row .rank")).to_have_text(["1", "2", "2", "4"])


def test_the_leaderboard_sorts_itself_anew_when_a_rank_changes(screen: Screen) -> None:
    reps = [make_rep(1, "Ana", 9), make_rep(2, "Ben", 7)]
    screen.floor.snapshot = make_snapshot(rows=[make_row(ORGANISATION), *reps])
    screen.open()
    expect(screen.names()).to_have_text(["Ana", "Ben"])

    screen.floor.publish("metrics", {"rows": [make_rep(2, "Ben", 10)]})

    expect(screen.names()).to_have_text(["Ben", "Ana"])
    expect(screen.rep("r-2")).to_have_class(re.compile("leader"))
    expect(screen.rep("r-1")).not_to_have_class(re.compile("leader"))


def test_money_ranks_exactly_and_response_times_rank_the_shortest_first(screen: Screen) -> None:
    far, near = "90071992547409.93", "90071992547409.92"
    reps = [
        make_rep(1, "Ana", 1, revenue_won=near, lead_response_seconds_p50=60),
        make_rep(2, "Ben", 1, revenue_won=far, lead_response_seconds_p50=90),
        make_rep(3, "Cy", 1, revenue_won="9.00", lead_response_seconds_p50=None),
    ]
    screen.floor.snapshot = make_snapshot(rows=[make_row(ORGANISATION), *reps])

    screen.open("?metric=revenue_won")
    expect(screen.names()).to_have_text(["Ben", "Ana", "Cy"])
    expect(screen.page.locator(".row .rank")).to_have_text(["1", "2", "3"])

    screen.open("?metric=lead_response_seconds_p50")
    expect(screen.names()).to_have_text(["Ana", "Ben", "Cy"])
    expect(screen.page.locator(".row .rank")).to_have_text(["1", "2", ""])


def test_many_reps_are_paged_at_full_size(screen: Screen) -> None:
    screen.page.clock.install()
    # The browser's clock is moved on, so it is the only one: the server tells none.
    screen.floor.snapshot = make_snapshot(
        rows=[make_row(ORGANISATION), *make_reps(40)], server_time=None, freshness=None
    )
    screen.open()
    expect(screen.tile("leaderboard").locator(".range")).to_have_text(re.compile(r"^\d+\D\d+ of 40$"))
    seen: set[str] = set()
    for _page in range(4):
        seen.update(screen.names().all_text_contents())
        heights = screen.page.locator(".row").evaluate_all("rows => rows.map(row => row.offsetHeight)")
        assert min(heights) >= 54
        before = screen.tile("leaderboard").locator(".range").text_content()
        screen.page.clock.run_for(12_000)
        expect(screen.tile("leaderboard").locator(".range")).not_to_have_text(before or "")

    assert seen == set(REPS)


def test_leads_are_listed_longest_first_with_running_clocks(screen: Screen) -> None:
    screen.floor.snapshot = make_snapshot(
        leads=[make_lead("l-2", 125), make_lead("l-1", 2900), make_lead("l-3", 4500, rep=None)]
    )
    screen.open()

    expect(screen.page.locator('[data-tile="leads"] .row .lead')).to_have_text(["l-3", "l-1", "l-2"])
    expect(screen.lead("l-3")).to_contain_text("Breached")
    expect(screen.lead("l-3")).to_contain_text("Unassigned")
    expect(screen.lead("l-3").locator(".running")).to_have_text("1:15h")
    expect(screen.lead("l-1")).to_contain_text("Warned")
    expect(screen.lead("l-2")).to_contain_text("Waiting")
    expect(screen.lead("l-2")).to_contain_text("demo request")
    expect(screen.lead("l-2")).to_contain_text("Ana Lim")
    expect(screen.lead("l-2").locator(".running")).to_have_text(re.compile(r"^02:0[5-9]$"))
    expect(screen.lead("l-2").locator(".running")).to_have_text(re.compile(r"^02:1\d$"), timeout=15_000)


def test_a_lead_turns_breached_when_its_clock_runs_out_without_any_event(screen: Screen) -> None:
    screen.floor.snapshot = make_snapshot(leads=[make_lead("l-1", 3597, state="warned")])
    screen.open()
    expect(screen.lead("l-1")).to_have_attribute("data-state", "warned")

    expect(screen.lead("l-1")).to_have_attribute("data-state", "breached")
    expect(screen.lead("l-1")).to_contain_text("Breached")
    expect(screen.tile("leads").locator(".badge:visible")).to_have_text("1breached")


def test_clocks_follow_the_server_when_the_television_is_wrong(screen: Screen) -> None:
    screen.page.add_init_script("const real = Date.now; Date.now = () => real() + 7 * 60000;")
    screen.floor.snapshot = make_snapshot(leads=[make_lead("l-1", 600)])
    screen.open()

    expect(screen.lead("l-1").locator(".running")).to_have_text(re.compile(r"^10:0\d$"))
    expect(screen.tile("status")).to_contain_text("Live")


def test_an_answered_lead_leaves_and_a_new_one_comes(screen: Screen) -> None:
    screen.open()
    expect(screen.lead("l-1")).to_be_visible()

    screen.floor.publish("lead", make_lead("l-9", 1))
    screen.floor.publish("lead", {"lead": "l-1", "state": "answered"})

    expect(screen.lead("l-9")).to_be_visible()
    expect(screen.lead("l-1")).to_have_count(0)
    screen.floor.publish("lead", {"lead": "l-9", "state": "closed"})
    expect(screen.tile("leads")).to_contain_text("No lead is waiting")


def test_leads_that_do_not_fit_are_counted(screen: Screen) -> None:
    screen.floor.snapshot = make_snapshot(leads=[make_lead(f"l-{n}", 5000 - n) for n in range(20)])
    screen.open()

    rows = screen.page.locator('[data-tile="leads"] .row')
    expect(rows.first).to_be_visible()
    hidden = 20 - rows.count()
    expect(screen.tile("leads").locator(".more")).to_have_text(f"+ {hidden} more, {hidden} of them breached")
    expect(screen.tile("leads").locator(".badge:visible")).to_have_text("20breached")


def test_open_alerts_are_shown_gravest_first_until_they_are_resolved(screen: Screen) -> None:
    alerts = [make_alert(1, "warn"), make_alert(2, "breach"), make_alert(3, "escalate")]
    screen.floor.snapshot = make_snapshot(alerts=[*alerts, make_alert(4, "breach", lead="l-3")])
    screen.open()
    expect(screen.tile("alerts").locator(".chip .word")).to_have_text(["Escalated", "Breached"])
    expect(screen.tile("alerts").locator(".chip .owner")).to_have_text(["Priya Raman", "Marcus Okafor"])

    screen.floor.publish("alert", make_alert(3, "escalate", resolved_at=instant(now())))
    screen.floor.publish("alert", make_alert(4, "breach", resolved_at=instant(now())))

    expect(screen.tile("alerts").locator(".chip .word")).to_have_text(["Breached"])


def test_metrics_beyond_a_limit_are_shown_with_it_and_a_milestone_for_an_hour(screen: Screen) -> None:
    few = make_crossing(1, "calls_made", "below", 10, level="warn")
    share = make_crossing(2, "connect_rate", "below", 0.2, level="breach", rep=None, window="1h")
    money: Json = {"comparison": "reaches", "limit": "1000000.00", "currency": "USD", "rep": None, "team": None}
    million = make_crossing(3, "revenue_won", level="warn", **money)
    old = make_crossing(61, "revenue_won", level="warn", **money)
    screen.floor.snapshot = make_snapshot(alerts=[few, share, million, old, make_alert(4, "breach")])
    screen.open()

    chips = screen.tile("alerts").locator(".chip")
    expect(chips.locator(".word")).to_have_text(["Breached", "Below 20%", "Reached $1,000,000", "Below 10"])
    expect(chips.locator(".subject")).to_have_text(["l-4", "Connect rate, 1h", "Revenue won", "Calls made"])
    expect(chips.nth(1).locator(".owner")).to_have_text("North")
    assert screen.complaints == []


def test_names_from_a_crm_are_text_whatever_they_contain(screen: Screen) -> None:
    hostile = '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script>'
    screen.floor.snapshot = make_snapshot(
        rows=[make_row(ORGANISATION), make_row({}, team=hostile, name=hostile), make_rep(1, hostile, 5, hostile)],
        leads=[make_lead(hostile, 10, source=hostile)],
        alerts=[make_alert(1, "breach", lead=hostile)],
        organisation={"name": hostile, "timezone": hostile, "currency": hostile},
        freshness=make_freshness(connections={hostile: {"last_delivery_at": instant(now())}}),
    )
    screen.open()

    expect(screen.rep("r-1").locator(".name")).to_have_text(hostile)
    expect(screen.page.locator(".connection .name")).to_have_text(hostile)
    expect(screen.page.locator("img, main script, [onerror]")).to_have_count(0)
    assert screen.page.title() == hostile
    assert screen.complaints == []


def test_freshness_names_each_connection_with_age_state_and_delay(screen: Screen) -> None:
    old = instant(now() - timedelta(minutes=12))
    screen.floor.snapshot = make_snapshot(
        freshness=make_freshness(
            connections=[
                {"connection": "crm", "last_delivery_at": instant(now())},
                {"connection": "dialer", "last_delivery_at": old},
                {"connection": "forms", "last_delivery_at": None},
            ]
        )
    )
    screen.open()

    expect(screen.page.locator(".connection .name")).to_have_text(["forms", "dialer", "crm"])
    expect(screen.page.locator(".connection .word")).to_have_text(["disconnected", "delayed", "live"])
    expect(screen.page.locator(".connection .age")).to_have_text(["never delivered", "12 min", re.compile(r"^\d s$")])
    expect(screen.page.locator(".connection svg")).to_have_count(3)
    expect(screen.tile("freshness")).to_contain_text("Delay p95 0.12 s")


AT_NOON = datetime(2026, 3, 18, 4, 3, 12, tzinfo=UTC)
"""12:03 in Kuala Lumpur."""


def test_a_recount_of_the_log_is_told_with_its_time(screen: Screen) -> None:
    screen.floor.snapshot = make_snapshot(
        server_time=instant(AT_NOON + timedelta(minutes=2)),
        freshness=make_freshness(server_time=instant(AT_NOON), verification=make_verification(AT_NOON)),
    )
    screen.open()

    verified = screen.tile("freshness").locator(".verified")
    expect(verified).to_have_text("verified 12:03, 0 differences")
    expect(verified).to_have_attribute("data-state", "right")


def test_a_wrong_number_and_a_recount_that_has_stopped_are_not_overlooked(screen: Screen) -> None:
    screen.open()
    # What is said before it has connected, it does not hear.
    expect(screen.tile("freshness")).to_contain_text("Delay p95 0.12 s")
    verified = screen.tile("freshness").locator(".verified")
    expect(verified).to_be_hidden()
    panel = screen.page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--breached').trim()")
    looks = []

    for at, differences, stale, text, state in (
        (AT_NOON, 1, False, "verified 12:03, 1 difference", "wrong"),
        (AT_NOON, 1234, False, "verified 12:03, 1,234 differences", "wrong"),
        (AT_NOON, 0, True, "not verified since 12:03, 0 differences", "stale"),
        (AT_NOON, 2, True, "not verified since 12:03, 2 differences", "wrong"),
        (
            AT_NOON - timedelta(days=3),
            0,
            True,
            re.compile(r"^not verified since \w+ \w+ 12:03, 0 differences$"),
            "stale",
        ),
        (AT_NOON, 0, False, "verified 12:03, 0 differences", "right"),
    ):
        found = make_verification(at, differences, stale=stale)
        screen.floor.publish("freshness", make_freshness(server_time=instant(AT_NOON), verification=found))
        expect(verified).to_have_text(text)
        expect(verified).to_have_attribute("data-state", state)
        looks.append((state, verified.evaluate("node => getComputedStyle(node).backgroundColor")))

    assert panel == "#ff7a66"
    assert dict(looks)["wrong"] == "rgb(255, 122, 102)"
    assert len({color for _, color in looks}) == 3


def test_the_time_is_that_of_the_organisation(screen: Screen) -> None:
    screen.page.clock.install()
    screen.floor.snapshot = make_snapshot(server_time="2026-03-18T20:41:30.344Z", freshness=None)
    screen.open()

    expect(screen.tile("status").locator(".clock")).to_have_text("04:41")
    expect(screen.tile("freshness").locator(".as-of")).to_have_text("As of 04:41:30")


def test_numbers_that_stand_still_upstream_are_shown_as_stale(screen: Screen) -> None:
    screen.open()
    expect(screen.tile("status")).to_contain_text("Live")

    screen.floor.publish("freshness", make_freshness(behind_seconds=9))
    expect(screen.tile("status")).to_contain_text("Delayed")
    screen.floor.publish("freshness", make_freshness(behind_seconds=75))

    expect(screen.tile("status")).to_contain_text("Stale")
    expect(screen.tile("figures")).to_have_css("opacity", "0.42")
    expect(screen.figure("calls_made")).to_have_text("1,284")


def test_silence_of_three_heartbeats_is_a_disconnection_that_keeps_the_last_numbers(screen: Screen) -> None:
    screen.page.clock.install()
    screen.open()
    expect(screen.tile("status")).to_contain_text("Live")
    screen.floor.is_silent = True

    screen.page.clock.run_for(15_000)
    expect(screen.tile("status")).to_contain_text("Live")
    screen.page.clock.run_for(3_000)

    expect(screen.tile("status")).to_contain_text("Disconnected")
    expect(screen.tile("alerts")).to_contain_text("Connection lost")
    expect(screen.tile("leaderboard")).to_have_css("opacity", "0.42")
    expect(screen.figure("calls_made")).to_have_text("1,284")


def test_a_broken_connection_comes_back_with_the_last_event_id_and_the_new_numbers(screen: Screen) -> None:
    screen.open()
    expect(screen.figure("calls_made")).to_have_text("1,284")
    screen.floor.snapshot = make_snapshot(rows=[make_row({"calls_made": 1300}), make_rep(7, "Only One", 3)], leads=[])

    screen.floor.cut()

    expect(screen.figure("calls_made")).to_have_text("1,300")
    expect(screen.names()).to_have_text(["Only One"])
    expect(screen.tile("leads")).to_contain_text("No lead is waiting")
    expect(screen.tile("status")).to_contain_text("Live")
    assert [last for path, last in screen.floor.requests if path.startswith("/v1/stream")] == [None, "i1:1"]


def test_a_refused_connection_is_tried_again(screen: Screen) -> None:
    screen.open()
    expect(screen.tile("status")).to_contain_text("Live")
    screen.floor.is_refusing = True
    screen.floor.cut()
    expect(screen.tile("status")).to_contain_text("Delayed")

    screen.floor.is_refusing = False

    expect(screen.tile("status")).to_contain_text("Live", timeout=15_000)


def test_repeated_and_older_events_change_nothing(screen: Screen) -> None:
    screen.open()
    expect(screen.figure("calls_made")).to_have_text("1,284")
    screen.floor.number = 50
    screen.floor.publish("metrics", {"rows": [make_row({"calls_made": 1290})]})

    screen.floor.number = 40
    screen.floor.publish("metrics", {"rows": [make_row({"calls_made": 1285})]})
    screen.floor.number = 60
    screen.floor.publish("metrics", {"rows": [make_row({"deals_won": 13})]})

    expect(screen.figure("deals_won")).to_have_text("13")
    expect(screen.figure("calls_made")).to_have_text("1,290")


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param("id: i1:7\nevent: metrics\ndata: {not json\n\n", id="unreadable"),
        pytest.param('id: i2:7\nevent: metrics\ndata: {"rows": []}\n\n', id="another instance"),
    ],
)
def test_an_event_that_leaves_a_hole_asks_for_a_new_snapshot(screen: Screen, broken: str) -> None:
    screen.open()
    expect(screen.figure("calls_made")).to_have_text("1,284")
    screen.floor.snapshot = make_snapshot(rows=[make_row({"calls_made": 1300})])

    screen.floor.say_raw(broken)

    expect(screen.figure("calls_made")).to_have_text("1,300", timeout=10_000)


def test_the_page_reloads_itself_once_when_a_new_build_is_served(screen: Screen) -> None:
    screen.open()
    expect(screen.tile("status")).to_contain_text("Live")

    with screen.page.expect_event("load"):
        screen.floor.publish("snapshot", make_snapshot(build="2"))
    expect(screen.tile("status")).to_contain_text("Live")
    screen.floor.publish("snapshot", make_snapshot(build="3", rows=[make_row({"calls_made": 7})]))

    expect(screen.figure("calls_made")).to_have_text("7")
    pages = [path for path, _last in screen.floor.requests if path.startswith("/board/")]
    assert len(pages) == 2


def test_the_address_configures_screen_and_stream(screen: Screen) -> None:
    team = make_row({"deals_won": 4, "calls_made": 88}, team="north", name="North")
    screen.floor.snapshot = make_snapshot(
        rows=[team, make_rep(1, "Ana", 3, deals_won=2), make_rep(2, "Ben", 9, deals_won=1)]
    )
    screen.open("?teams=north&metrics=deals_won,calls_made&metric=deals_won&title=North%20floor&window=today")

    expect(screen.tile("title").locator("h1")).to_have_text("North floor")
    expect(screen.page.locator(".figure .label")).to_have_text(["Deals won", "Calls made"])
    expect(screen.figure("deals_won")).to_have_text("4")
    expect(screen.names()).to_have_text(["Ana", "Ben"])
    assert "/v1/stream?windows=today&screen=floor&teams=north" in [path for path, _last in screen.floor.requests]


@pytest.mark.parametrize(
    ("width", "height"),
    [(1920, 1080), (1080, 1920), (3840, 2160), (3440, 1440), (1280, 720), (1024, 768)],
    ids=str,
)
def test_nothing_scrolls_or_leaves_the_screen(screen: Screen, width: int, height: int) -> None:
    screen.page.set_viewport_size({"width": width, "height": height})
    screen.floor.snapshot = make_snapshot(
        rows=[make_row(ORGANISATION), *make_reps(40)],
        leads=[make_lead(f"l-{n}", 400 * n) for n in range(20)],
        alerts=[make_alert(n, "breach") for n in range(1, 9)],
    )
    screen.open()
    expect(screen.figure("calls_made")).to_have_text("1,284")
    expect(screen.tile("alerts").locator(".alert-more")).to_have_text(re.compile(r"^\+\d more$"))

    root = screen.page.evaluate(
        "() => [document.scrollingElement.scrollWidth, document.scrollingElement.scrollHeight, innerWidth, innerHeight]"
    )
    outside = screen.page.evaluate(
        """() => Array.from(document
            .querySelectorAll('.row, .figure, .heading, .state, .clock, .as-of, .latency, .more, .answered'))
            .filter((node) => node.offsetParent)
            .filter((node) => { const box = node.getBoundingClientRect();
              return box.left < 0 || box.top < 0 || box.right > innerWidth || box.bottom > innerHeight; })
            .map((node) => node.className)"""
    )
    overlaps = screen.page.evaluate(
        """() => { const boxes = Array.from(document.querySelectorAll('.masthead, .row, .figure, footer'))
            .map((node) => node.getBoundingClientRect());
            return boxes.some((a, i) => boxes.some((b, j) => i < j && a.left < b.right - 1 && b.left < a.right - 1
              && a.top < b.bottom - 1 && b.top < a.bottom - 1)); }"""
    )
    assert root[:2] == root[2:]
    assert outside == []
    assert not overlaps
    assert screen.complaints == []


def test_reduced_motion_moves_nothing(screen: Screen) -> None:
    screen.page.emulate_media(reduced_motion="reduce")
    screen.floor.snapshot = make_snapshot(rows=[make_row({}), make_rep(1, "Ana", 9), make_rep(2, "Ben", 7)])
    screen.page.add_init_script(
        "window.moves = 0; const real = Element.prototype.animate;"
        "Element.prototype.animate = function (...a) { window.moves += 1; return real.apply(this, a); };"
    )
    screen.open()
    expect(screen.names()).to_have_text(["Ana", "Ben"])

    screen.floor.publish("metrics", {"rows": [make_rep(2, "Ben", 10)]})

    expect(screen.names()).to_have_text(["Ben", "Ana"])
    assert screen.page.evaluate("window.moves") == 0


def test_the_picture_shifts_a_few_pixels_against_burn_in(screen: Screen) -> None:
    screen.page.clock.install()
    screen.open()
    expect(screen.tile("status")).to_contain_text("Live")
    positions = set()
    for _shift in range(4):
        positions.add(screen.page.locator("#board").evaluate("node => node.style.transform"))
        screen.page.clock.fast_forward(180_000)
        screen.page.clock.run_for(1_500)

    pixels = [abs(int(value)) for position in positions for value in re.findall(r"-?\d+", position)]
    assert len(positions) == 4
    assert max(pixels) <= 4


NEWER_THAN_CHROME_80 = {
    ".js": (
        r"\?\?=|\|\|=|&&=|\.replaceAll\(|\.replaceChildren\(|\.at\(|Object\.hasOwn|structuredClone"
        r"|static \{|^await |\.toSorted\(|#\w+\("
    ),
    ".css": (
        r"inset:|(?<!-)aspect-ratio:|:is\(|:where\(|:has\(|color-mix|@container|@layer|dv[hw]\b"
        r"|(?<!grid-)(?<!row-)\bgap:"
    ),
}


@pytest.mark.parametrize("file", sorted(STATIC.rglob("*.[jc]s*")), ids=lambda file: file.name)
def test_static_files_keep_to_what_older_televisions_run(file: Path) -> None:
    found = re.findall(NEWER_THAN_CHROME_80[file.suffix], file.read_text(), re.MULTILINE)

    assert found == []
