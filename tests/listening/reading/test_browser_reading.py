"""A browser reads: no violation that axe finds, keys do what the sheet says, the policy refuses nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import axe_core_python
import pytest
from django.conf import settings as django_settings
from playwright.sync_api import Page, expect, sync_playwright

from talkworthy.listening.models import Correction
from talkworthy.listening.stores import archive_of
from talkworthy.listening.voices import count_voices

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AXE = (Path(axe_core_python.__file__).parent / "axe.min.js").read_text()
PAGES = [
    "listen/",
    "listen/?q=google+AND+apple+OR+x",
    "monitors/",
    "monitors/{monitor}/",
    "monitors/{monitor}/edit/",
    "trends/",
    "trends/memes/",
    "trends/names/",
    "trends/voices/",
]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed"),
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture(autouse=True)
def _allow_database_beside_playwright(monkeypatch):
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's loop runs in this thread


@pytest.fixture
def said() -> list[str]:
    """What the browser complained about."""
    return []


@pytest.fixture(params=[(1440, "light"), (390, "dark")], ids=["wide-light", "phone-dark"])
def page(request, room, client_of, live_server, said) -> Iterator[Page]:
    """A page of somebody who has signed in."""
    width, scheme = request.param
    name = django_settings.SESSION_COOKIE_NAME
    session = client_of(room.bob).cookies[name].value
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        context.add_cookies([{"name": name, "value": session, "url": live_server.url}])
        opened = context.new_page()
        opened.on("pageerror", lambda error: said.append(str(error)))
        opened.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        yield opened
        browser.close()


def violations(page: Page) -> list[str]:
    """What axe finds, one line each."""
    page.evaluate(AXE)  # through the debugger, which the page's policy does not govern
    found = page.evaluate("axe.run()")["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found]


def test_no_page_has_a_violation_scrolls_sideways_or_breaks_the_policy(page, room, live_server, said):
    archive = archive_of(room.workspace)
    count_voices(room.workspace, archive, progress=lambda done, total: None, now=datetime(2026, 7, 4, tzinfo=UTC))
    for path in PAGES:
        page.goto(f"{live_server.url}/acme/{path.format(monitor=room.google.pk)}")
        page.wait_for_load_state("networkidle") if "listen" not in path else page.wait_for_timeout(300)
        assert violations(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0, path
    assert said == []


@pytest.mark.parametrize("page", [(1440, "dark")], indirect=True)
def test_a_walk_through_the_river_by_keyboard(page, room, live_server, said):
    page.goto(f"{live_server.url}/acme/listen/?sentiment=negative")
    page.keyboard.press("j")
    page.keyboard.press("y")
    expect(page.locator(".post.at .told")).to_be_visible()
    page.keyboard.press("y")
    page.keyboard.press("Enter")
    expect(page.locator("#pane .opened")).to_be_visible()
    assert "open=" in page.url
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(page.locator("#pane .opened")).to_have_count(0)
    page.keyboard.press("2")
    expect(page.locator(".post.at .note.corrected")).to_be_visible()
    page.keyboard.press("u")
    page.wait_for_url("**/listen/**")
    expect(page.locator(".note.corrected")).to_have_count(0)
    assert Correction.objects.get().undone_at is not None
    assert said == []


@pytest.mark.parametrize("page", [(390, "dark")], indirect=True)
def test_near_copies_unfold_by_one_key_and_the_rows_walk_on(page, room, live_server, said):
    page.goto(f"{live_server.url}/acme/listen/")
    page.keyboard.press("j")
    page.keyboard.press("c")
    copies = page.locator("details.copies").first
    expect(copies.locator(".river-post").first).to_be_visible()
    page.keyboard.press("j")
    expect(copies.locator(".river-post.at")).to_have_count(1)
    assert violations(page) == []
    page.keyboard.press("c")
    expect(copies.locator(".river-post").first).to_be_hidden()
    assert said == []


@pytest.mark.parametrize("page", [(1440, "light")], indirect=True)
def test_what_arrives_is_seen_within_two_seconds(page, room, live_server, said):
    page.goto(f"{live_server.url}/acme/listen/")
    room.add([room.post(901, "google has just arrived", ago=-timedelta(minutes=1))], "2")
    expect(page.locator(".river-post.fresh")).to_be_visible(timeout=2_000)
    assert said == []


@pytest.mark.parametrize("page", [(1440, "light")], indirect=True)
def test_a_chart_answers_to_the_pointer_and_a_click_leads_to_its_rows(page, room, live_server, said):
    page.goto(f"{live_server.url}/acme/trends/")
    bar = page.locator("#chart-share .canvas div path[aria-roledescription=bar]").first
    bar.hover(timeout=20_000)
    expect(page.locator("#vg-tooltip-element.visible")).to_contain_text("Google: 30")
    bar.click()
    page.wait_for_url("**/listen/**")
    expect(page.locator("#count")).to_contain_text("30 posts")
    assert said == []


@pytest.mark.parametrize("page", [(1440, "light")], indirect=True)
def test_a_fix_is_taken_by_one_press(page, room, live_server, said):
    page.goto(f"{live_server.url}/acme/monitors/new/")
    page.locator("#id_query").fill("google AND apple OR x")
    page.locator("[data-fix]").first.click()
    expect(page.locator("#preview")).to_contain_text("posts found")
    assert page.input_value("#id_query") == "(google AND apple) OR x"
    assert said == []


def test_a_late_post_is_announced_and_put_where_it_belongs(page, room, live_server, said):
    page.goto(f"{live_server.url}/acme/listen/")
    first = page.locator("[data-post]").first.get_attribute("data-post")
    room.add(
        [
            room.post(900, "google just now", ago=timedelta(minutes=1)),
            room.post(901, "google came late", ago=timedelta(hours=20)),
        ],
        "2",
    )
    button = page.locator("[data-show-newer]")
    expect(button).to_have_text("1 new mention · 1 older post arrived")
    button.click()
    shown = [row.get_attribute("data-post") for row in page.locator("[data-post]").all()]
    assert shown == sorted(shown, key=int, reverse=True)
    assert shown.index(first) == 1
    expect(page.locator("[data-post]", has_text="came late")).to_have_count(1)
    expect(button).to_be_hidden()
    assert said == []
