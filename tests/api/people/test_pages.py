"""`/floor` and `/me` in a real browser: what is seen, heard, typed and touched, in English and in Persian."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from schemas.alerts import decode_action
from tests.api.accessibility import violations
from tests.api.board.scripted import needs_browser
from tests.api.people.world import LONG, World
from tests.builders import change

pytestmark = needs_browser

SIZES = {"desk": (1440, 900), "phone": (390, 844)}
OUTSIDE = """() => {
    const beyond = (inner, outer) => inner.right > outer.right + 1 || inner.left < outer.left - 1;
    return Array.from(document.querySelectorAll(".figure *, .lead *, .scroll"))
      .filter((node) => node.getClientRects().length && !node.matches("option"))
      .filter((node) => node.matches(".scroll") ? innerWidth > 1200 && node.scrollWidth > node.clientWidth
        : beyond(node.getBoundingClientRect(), node.closest(".panel, .figure").getBoundingClientRect()))
      .map((node) => node.outerHTML.slice(0, 120)); }"""
"""What lies beyond the box in which it stands; on a desk no table is so wide that it has to be moved."""
VIOLATIONS = """window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));"""


@contextmanager
def opened(
    browser: Browser, world: World, page: str, *, locale: str = "en-US", size: str = "desk", **more: Any
) -> Iterator[Page]:
    """The page, opened by its key; at the end nothing may have been complained of."""
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, locale=locale, **more)
    complaints: list[str] = []
    try:
        found = context.new_page()
        found.add_init_script(VIOLATIONS)
        found.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
        found.on("pageerror", lambda error: complaints.append(str(error)))
        path, _, query = page.partition("?")
        token = world.rep if path == "/me" else world.admin
        found.goto(f"{world.address}{path}?token={token}{'&' + query if query else ''}")
        assert "token" not in found.url
        yield found
        assert complaints == []
        if more.get("java_script_enabled", True):
            assert found.evaluate("violations") == []
    finally:
        context.close()


EVERYBODY = [("en-US", "en", ("desk", "phone")), ("fa-IR", "fa", ("phone", "desk"))]
"""The page that was opened on one is looked at on the other as well."""
OTHERS = [
    ("ms-MY", "ms", ("phone",)),
    ("id-ID", "id", ("desk",)),
    ("zh-CN", "zh-Hans", ("phone",)),
    ("zh-TW", "zh-Hant", ("desk",)),
    ("de-DE", "de", ("phone",)),
]


@pytest.mark.parametrize(("locale", "language", "sizes"), [*EVERYBODY, *OTHERS])
def test_they_can_be_read_by_everybody(
    browser: Browser, world: World, locale: str, language: str, sizes: tuple[str, ...]
) -> None:
    with opened(browser, world, "/floor?window=month&by=team", locale=locale, size=sizes[0]) as found:
        for page in ("/floor", "/me"):
            if page == "/me":
                found.goto(f"{world.address}/me?token={world.rep}")
            html = found.locator("html")
            expect(html).to_have_attribute("lang", language)
            expect(html).to_have_attribute("dir", "rtl" if locale == "fa-IR" else "ltr")
            found.locator("#everything summary").click()
            for size in sizes:
                width, height = SIZES[size]
                found.set_viewport_size({"width": width, "height": height})
                # Nothing lies beside the page: only tables are moved aside, each by itself.
                assert found.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
                assert found.evaluate(OUTSIDE) == []

                assert [(each["id"], each["nodes"][0]["html"][:120]) for each in violations(found)] == []
                assert found.evaluate("violations") == []


def test_numbers_and_dates_in_persian_are_persian(browser: Browser, world: World) -> None:
    with opened(browser, world, "/floor", locale="fa-IR") as found:
        expect(found.locator(".when")).to_contain_text("۲۷ اسفند ۱۴۰۴")
        for part in ("#figures", "#goals", "#waiting .waits"):
            assert not re.search(r"[0-9]", found.locator(part).first.inner_text()), part


def test_every_control_is_reached_by_tab(browser: Browser, world: World) -> None:
    with opened(browser, world, "/floor") as found:
        reached: list[str] = []
        for _ in range(200):
            found.keyboard.press("Tab")
            at = found.evaluate(
                """() => { const at = document.activeElement; if (!at || at === document.body) return null;
                  return at.name || at.id || at.textContent.trim(); }"""
            )
            if at is None or (reached and at == reached[0] and len(reached) > 30):
                break
            reached.append(at)
        wanted = {
            "from",
            "to",
            "team",
            "by",
            "compare",
            "Metrics",
            "Show",
            "Start over",
            "Yesterday",
            "do",
            "for",
            "Deutsch",
        }
        assert wanted - set(reached) == set()
        assert reached[0] == "Skip to the numbers"


def test_a_team_is_chosen_with_the_keyboard(browser: Browser, world: World) -> None:
    with opened(browser, world, "/floor") as found:
        found.get_by_label("Team", exact=True).focus()
        found.keyboard.type("South")
        found.get_by_role("button", name="Show").focus()
        found.keyboard.press("Enter")

        expect(found).to_have_url(re.compile(r"/floor\?team=south&compare=previous$"))
        expect(found.locator("#reps")).to_contain_text("Ben Carter")
        expect(found.locator("#reps")).not_to_contain_text("Ana Lim")


def test_dates_are_chosen_and_stand_in_the_address(browser: Browser, world: World) -> None:
    with opened(browser, world, "/floor?window=month") as found:
        found.get_by_label("From", exact=True).fill("2026-03-17")
        found.get_by_label("To", exact=True).fill("2026-03-17")
        found.get_by_role("button", name="Show").click()

        expect(found).to_have_url(re.compile(r"from=2026-03-17&to=2026-03-17"))
        expect(found.locator("[data-metric='calls_made'] .figure-value")).to_have_text("7")


def test_a_long_name_is_not_cut_off(browser: Browser, world: World) -> None:
    with opened(browser, world, "/floor", size="phone") as found:
        expect(found.locator("#reps").get_by_text(LONG)).to_be_visible()


def test_a_call_is_there_a_moment_later_and_what_is_used_stays(browser: Browser, world: World) -> None:
    with opened(browser, world, "/me") as found:
        value = found.locator("[data-metric='calls_made'] .figure-value")
        expect(value).to_have_text("1")
        found.get_by_role("link", name="Yesterday").focus()

        world.tell(change("call", "later", rep="r-0", direction="outbound", dialed_at="2026-03-18T07:30Z"))

        expect(value).to_have_text("2")
        expect(found.get_by_role("link", name="Yesterday")).to_be_focused()


def test_a_part_that_was_not_there_comes_and_goes(browser: Browser, world: World) -> None:
    late = change("goal", "g1", rep="r-0", goal="calls", since="2026-03-01", amount=9)
    with opened(browser, world, "/floor?team=south&window=yesterday") as found:
        expect(found.locator("#goals")).to_be_visible()
        found.evaluate("document.getElementById('goals').remove()")

        world.tell(late, change("call", "later still", rep="r-1", direction="outbound", dialed_at="2026-03-17T07:30Z"))

        expect(found.locator("#goals")).to_be_visible()


@pytest.mark.parametrize("has_scripts", [True, False])
def test_a_lead_is_acknowledged_from_the_page(browser: Browser, world: World, has_scripts: bool) -> None:
    before = len(world.actions.taken)
    with opened(browser, world, "/floor", java_script_enabled=has_scripts) as found:
        found.get_by_role("button", name="Acknowledge: Lena Fox").first.click()

        expect(found).to_have_url(re.compile(r"/floor#waiting$"))
    assert [decode_action(each).alert for each in world.actions.taken[before:]] == ["lead-0/breach"]


def test_the_door_takes_a_key_that_is_typed(browser: Browser, world: World) -> None:
    context = browser.new_context(locale="en-US")
    try:
        page = context.new_page()
        page.goto(f"{world.address}/")
        assert violations(page) == []
        page.get_by_label("Key").fill("fc_no.key")
        page.get_by_role("button", name="Open").click()
        expect(page.get_by_role("alert")).to_contain_text("It has expired, was revoked")

        page.get_by_label("Key").fill(world.rep)
        page.get_by_role("button", name="Open").click()

        expect(page.get_by_role("heading", level=1)).to_have_text("Ana Lim")
        assert page.url == f"{world.address}/me"
    finally:
        context.close()
