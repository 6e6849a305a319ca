"""A browser for the tests of this folder, and for each test a scripted api with a screen in front of it.

Of the work of a test most was a browser's: a process for its page, and each of the modules read and compiled. So one
page serves the tests of the folder one after the other, and finds the modules where it has left them.
"""

import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.api.board.scripted import CHROMIUM, FloorServer, Screen, Seats


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


@pytest.fixture(scope="package")
def serving() -> Iterator[FloorServer]:
    server = FloorServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def server(serving: FloorServer) -> Iterator[FloorServer]:
    """The one server, with a floor that this test alone fills."""
    serving.begin()
    yield serving
    serving.floor.cut()


@pytest.fixture(scope="package")
def seats(browser: Browser) -> Iterator[Seats]:
    seats = Seats(browser)
    yield seats
    seats.close()


@pytest.fixture
def screen(seats: Seats, server: FloorServer) -> Iterator[Screen]:
    """Its clock stands still: nothing is old, over or its turn before a test says so."""
    screen = Screen(seats.page(), server)
    screen.stand_still()
    yield screen
    seats.leave(screen)
