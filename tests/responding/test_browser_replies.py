"""A browser answers, sees what is wrong while it writes, and meets no page that axe finds fault with."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import axe_core_python
import pytest
from django.utils import timezone
from playwright.sync_api import Page, sync_playwright

from talkworthy.responding import actions
from talkworthy.responding.models import ApprovalRule, Delivery, Draft, Stop
from talkworthy.routing.models import Case, CaseConversation, Conversation, Message

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
AXE = (Path(axe_core_python.__file__).parent / "axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PASSWORD = "eleven purple umbrellas"
PAGES = [
    "replies/case/7/",
    "replies/",
    "replies/deliveries/",
    "replies/deliveries/?show=unsure",
    "replies/snippets/",
    "replies/snippets/new/",
    "replies/stop/",
    "settings/replies/",
    "settings/replies/approval/",
    "settings/replies/approval/new/",
    "settings/replies/accounts/",
    "settings/replies/drafter/",
    "settings/replies/manner/",
]
SIZES = [(1440, "light"), (390, "dark")]
SHOTS = os.environ.get("SHOTS_DIR", "")
"""A folder for pictures of the pages, to look at them with one's own eyes."""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed"),
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture(autouse=True)
def _allow_database_beside_playwright(monkeypatch):
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's loop runs in this thread


@pytest.fixture(params=SIZES, ids=["wide light", "narrow dark"])
def browser_page(request, live_server) -> Iterator[Page]:
    width, scheme = request.param
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        context = browser.new_context(
            base_url=live_server.url,
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            reduced_motion="reduce",
        )
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        browser.close()
    assert complaints == []


@pytest.fixture
def answering(workspace, alice, people, source, case, inward) -> Draft:
    """Something on every page, with earlier answers, rules, and a right-to-left name."""
    alice.set_password(PASSWORD)
    alice.timezone = "Europe/Berlin"  # else the browser's is asked for, beside what the test writes
    alice.save()
    now = timezone.now()
    inward(
        text="My router keeps losing wifi after the update, and nobody answers. What can I do?",
        author_handle="zoe@far.example",
        sentiment="negative",
        intent="help",
        at=now - timedelta(hours=3),
    )
    for place, text in enumerate(
        ("The router loses wifi since the update", "wifi is lost after the last update, help")
    ):
        earlier = Case.objects.create(workspace=workspace, number=20 + place, title="راوتر", state="resolved")
        talk = Conversation.objects.create(
            workspace=workspace, channel="letterbox", root=f"letterbox::{place}", first_at=now, last_at=now
        )
        CaseConversation.objects.create(case=earlier, conversation=talk)
        Message.objects.create(workspace=workspace, conversation=talk, uid=f"letterbox::{place}", text=text, at=now)
        sent = Draft.objects.create(
            workspace=workspace,
            case=earlier,
            conversation=talk,
            in_reply_to=f"letterbox::{place}",
            text=f"Please install version 2.{place} and start it anew. That helped everybody so far.",
            state="sent",
            source=source,
            by=people["frank"],
        )
        Delivery.objects.create(
            workspace=workspace,
            draft=sent,
            draft_version=1,
            by=None if place else people["frank"],
            automatic=bool(place),
            state="unsure" if place else "delivered",
            error="The connection broke" if place else "",
            delivered_at=None if place else now,
        )
    actions.save_snippet(
        workspace,
        name="Thanks and greetings",
        shortcut="thanks",
        texts={"en": "Thank you, {person.name}!", "de": "Danke!"},
        by=alice,
        now=now,
    )
    actions.save_manner(workspace, disclosure="{name}, {workspace}", by=alice, now=now)
    waiting = actions.start_draft(case, text="We are sorry.", by=people["gina"], now=now)
    Draft.objects.filter(pk=waiting.pk).update(in_reply_to="letterbox::other")
    waiting.refresh_from_db()
    actions.save_draft(waiting, version=1, text="We are very sorry for that.", by=people["gina"], now=now)
    ApprovalRule.objects.create(workspace=workspace, name="Risky cases", condition={"priority": ["risk"]}, count=2)
    Draft.objects.filter(pk=waiting.pk).update(state="asked")
    Stop.objects.create(workspace=workspace, why="A train crashed; we wait", machines_only=True, by=alice)
    return actions.start_draft(case, text="What is your order number?", by=people["alice"], now=now)


def sign_in(page: Page) -> None:
    page.goto("/account/login/")
    page.fill("#id_login", "alice@example.org")
    page.fill("#id_password", PASSWORD)
    page.press("#id_password", "Enter")
    page.wait_for_url("**/acme/**")


def violations(page: Page) -> list[str]:
    page.evaluate(AXE)
    found = page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)["violations"]
    return [f"{one['id']}: {[node['target'] for node in one['nodes']]}" for one in found]


def test_an_answer_is_written_and_no_page_has_a_violation(browser_page, answering):
    page = browser_page
    sign_in(page)
    wrong = {}
    for path in PAGES:
        page.goto(f"/acme/{path}")
        wrong[path] = violations(page)
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wrong[path].append("runs over its side")
        if SHOTS:
            name = path.strip("/").replace("/", "-").replace("?", "-")
            page.screenshot(path=f"{SHOTS}/{page.viewport_size['width']}-{name}.png", full_page=True)
    assert {path: found for path, found in wrong.items() if found} == {}

    page.goto("/acme/replies/case/7/")
    assert page.locator(".reply-warnings").inner_text().count("order") >= 1
    page.locator("label", has_text="Private").click()
    page.locator(".sheet.between").wait_for()
    assert page.locator(".reply-warnings").count() == 0
    assert page.locator("button[data-send]").inner_text().strip() == "Send in private"
    page.fill("[data-answer]", "")
    page.locator("[data-answer]").press_sequentially("Hello ;tha")
    page.keyboard.press("Enter")
    assert page.locator("[data-answer]").input_value() == "Hello Thank you, Zoe!"
    page.fill("[data-answer]", "x" * 120)
    page.locator("#looked", has_text="too many").wait_for()
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{page.viewport_size['width']}-private.png", full_page=True)
    page.fill("[data-answer]", "Thank you, we look into it.")
    page.keyboard.press("Control+s")
    page.locator(".toast >> text=Saved").wait_for()
    answering.refresh_from_db()
    assert (answering.text, answering.visibility) == ("Thank you, we look into it.", "private")
    page.keyboard.press("r")
    page.keyboard.press("Control+Enter")
    page.locator(".toast.undo").wait_for()
    answering.refresh_from_db()
    assert answering.state == "scheduled"
    page.locator(".toast.undo button[data-undo]").click()
    page.locator(".toast >> text=recalled").wait_for()
    answering.refresh_from_db()
    assert answering.state == "approved"
