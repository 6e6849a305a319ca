"""Every tile in every state, in English and in Persian, on a television and on a phone: axe, and no number cut off."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.api.accessibility import violations
from tests.api.board.floors import FLOORS, LONG, SCENES, every_tile, win
from tests.api.board.scripted import FloorServer, Screen, needs_browser

pytestmark = needs_browser

SIZES = {"television": (1920, 1080), "phone": (390, 844)}
STATES = {"dark": ("nobody", "one", "many", "stale"), "light": ("three", "stale")}
"""By theme, which is colours alone."""
VIOLATIONS = """window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));"""
CUT_OFF = """() => Array.from(document.querySelectorAll("#board *")).filter((node) => {
    const isNumber = node.offsetParent && !node.children.length && /\\p{Nd}/u.test(node.textContent);
    // Names may end in an ellipsis; what does not fit into the lists is counted beside them.
    if (!isNumber || node.closest(".name-text, .alert-list, .connection-list, .heading, .subtitle")) return false;
    if (getComputedStyle(node).overflowX !== "visible" && node.scrollWidth > node.clientWidth + 1) return true;
    const box = node.getBoundingClientRect();
    for (let at = node.parentElement; at; at = at.parentElement) {
      if (getComputedStyle(at).overflowX === "visible" && !at.matches(".tile")) continue;
      const room = at.getBoundingClientRect();
      if (box.left < room.left - 1 || box.right > room.right + 1 || box.bottom > room.bottom + 2) return true;
    }
    return false;
  }).map((node) => `${node.className}: ${node.textContent}`)"""
"""Numbers of which a part is not seen."""
LABELS = """() => Array.from(document.querySelectorAll(".figure .label"))
    .filter((node) => node.scrollWidth > node.clientWidth).map((node) => node.textContent)"""
"""Names of shipped metrics that do not fit, in whatever language."""
SCROLLS = """() => { const { scrollWidth, scrollHeight } = document.scrollingElement;
    return scrollWidth > innerWidth || (innerWidth > 600 && scrollHeight > innerHeight); }"""
REFUSED = "503 (Service Unavailable)"
"""What Chromium itself writes of a server that is away."""


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """One for all cases of the module. Calm: what is on its way between two places has no colour of its own."""
    page = browser.new_page(reduced_motion="reduce")
    page.add_init_script(VIOLATIONS)
    yield page
    page.context.close()


@pytest.fixture
def screen(page: Page, server: FloorServer) -> Iterator[Screen]:
    """The page, as if it were new."""
    screen = Screen(page, server)
    screen.stand_still()
    yield screen
    screen.leave()
    page.emulate_media(reduced_motion="reduce")
    page.evaluate("localStorage.clear(); sessionStorage.clear()")
    page.goto("about:blank")


def complaints(page: Page, where: str) -> list[str]:
    """What is wrong with what the page shows and stays so: a slow machine is looked at in the middle of a change."""
    for _look in range(4):
        found = seen_wrong(page, where)
        if not found:
            break
    return found


def seen_wrong(page: Page, where: str) -> list[str]:
    wrong = violations(page)
    return [
        *(f"{where}: {each['id']}: {node['html'][:150]}" for each in wrong for node in each["nodes"][:3]),
        *(f"{where}: cut off: {number}" for number in page.evaluate(CUT_OFF)),
        *(f"{where}: cut off: {label}" for label in page.evaluate(LABELS)),
        *([f"{where}: scrolls"] if page.evaluate(SCROLLS) else []),
    ]


def show(screen: Screen, scene: str) -> None:
    screen.floor.publish("screen", {"scene": scene})
    expect(screen.page.locator(".scene")).to_have_attribute("data-scene", scene)
    expect(screen.tile("title")).to_contain_text(scene)


@pytest.mark.parametrize(
    ("language", "size", "theme"),
    [
        ("en", "television", "dark"),
        ("en", "phone", "dark"),
        ("fa", "television", "dark"),
        ("fa", "phone", "dark"),
        ("en", "television", "light"),
    ],
)
def test_every_tile_in_every_state(screen: Screen, language: str, size: str, theme: str) -> None:
    page, floor = screen.page, screen.floor
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    floor.settings = every_tile(language, theme=theme, rotate="60s", celebrate=[{"on": "deal_won"}])
    found: list[str] = []
    FLOORS["nobody"](floor)
    screen.open()
    for state in STATES[theme]:
        FLOORS[state](floor)
        floor.publish("snapshot", floor.snapshot)
        expect(page.locator("#board")).to_have_attribute("data-state", "stale" if state == "stale" else "live")
        for scene in SCENES:
            show(screen, scene["name"])
            found += complaints(page, f"{state} {scene['name']}")
    floor.publish("screen", {"identify": True, "device": "d-1", "name": "Lobby"})
    expect(page.locator(".identity")).to_be_visible()
    found += complaints(page, "identity")
    page.evaluate("document.querySelectorAll('.identity').forEach((node) => node.remove())")
    page.emulate_media(reduced_motion="no-preference")
    floor.publish("win", win(1, LONG, win="deal_won:d-9:2026-03-18T09:00:00.000Z"))
    expect(page.locator(".celebration")).to_contain_text(LONG)
    screen.wait_until_at_rest(".celebration")
    found += complaints(page, "celebration")
    page.emulate_media(reduced_motion="reduce")
    screen.let_time_pass()
    floor.is_refusing = True
    floor.cut()
    expect(page.locator("#board")).to_have_attribute("data-state", "disconnected")
    found += complaints(page, "disconnected")
    floor.is_refusing = False
    FLOORS["new"](floor)
    expect(page.locator("#board")).to_have_attribute("data-state", "new")
    found += complaints(page, "new")

    assert found == []
    assert [said for said in screen.complaints if REFUSED not in said] == []
    assert page.evaluate("violations") == []


@pytest.mark.parametrize(
    ("language", "size"),
    [
        ("ms", (3840, 2160)),
        ("id", (1080, 1920)),
        ("zh-Hans", (1280, 720)),
        ("zh-Hant", (3440, 1440)),
        ("de", (1920, 1080)),
        ("de", (390, 844)),
    ],
)
def test_every_language_and_size_once(screen: Screen, language: str, size: tuple[int, int]) -> None:
    """Of which German has the longest words."""
    width, height = size
    screen.page.set_viewport_size({"width": width, "height": height})
    screen.floor.settings = every_tile(language, theme="dark", rotate="60s")
    FLOORS["many"](screen.floor)
    screen.open()
    found: list[str] = []
    for scene in SCENES:
        show(screen, scene["name"])
        found += complaints(screen.page, scene["name"])

    assert screen.page.locator("html").get_attribute("lang") == language
    assert found == []
    assert screen.complaints == []
    assert screen.page.evaluate("violations") == []
