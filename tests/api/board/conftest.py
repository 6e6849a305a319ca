"""A browser for the tests of this folder, and for each test a scripted api with a screen in front of it."""

import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, sync_playwright

from tests.api.board.scripted import CHROMIUM, FloorServer, Screen


def launch(playwright: Playwright) -> Browser:
    quiet = "--disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync"
    return playwright.chromium.launch(
        executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu", *quiet.split()]
    )


# Not for the session: while it runs, no test of another folder could run an event loop of its own.
@pytest.fixture(scope="package")
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
    """Its clock stands still: nothing is old, over or its turn before a test says so."""
    screen = Screen(context.new_page(), server)
    screen.stand_still()
    return screen
