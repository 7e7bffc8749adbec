"""A browser works through the inbox by keys, and two people who change one case hear of each other."""

import os
from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Page, sync_playwright
from tests.web.test_browser_frame import CHROMIUM, FLAGS, SIZES, violations

from talkworthy.responding.selectors.inbox import ON_A_PAGE
from talkworthy.routing import actions
from talkworthy.routing.models import Case, Conversation, Message
from talkworthy.workspaces.models import Member, User, Workspace

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


@pytest.fixture
def cases(workspace, bob) -> list[Case]:
    """Three cases, and Bob is an agent now."""
    Member.objects.filter(user=bob).update(role="agent")
    User.objects.update(timezone="Europe/Berlin")  # else the browser's is asked for, beside what the test writes
    return [_case(workspace, text) for text in ("My router is broken", "أين طلبي؟", "Please cancel my contract")]


def _case(workspace: Workspace, text: str) -> Case:
    now = timezone.now()
    root = f"mastodon:example.org:{Conversation.objects.count()}"
    times = {"first_at": now, "last_at": now, "last_inward_at": now}
    held = Conversation.objects.create(workspace=workspace, channel="mastodon", root=root, **times)
    Message.objects.create(workspace=workspace, conversation=held, uid=root, text=text, at=now, author_name="Zoe")
    return actions.open_case(held, title=text, by=None, now=now)[0]


@pytest.fixture
def page_of(live_server, client_of) -> Iterator[Callable[..., Page]]:
    """A page of somebody's own browser; whatever a console complains of fails the test, but for a refused change."""
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)

        def opened(who: User, width: int = 1440, scheme: str = "light") -> Page:
            context = browser.new_context(
                base_url=live_server.url,
                viewport={"width": width, "height": 900},
                color_scheme=scheme,
                reduced_motion="reduce",
            )
            name = settings.SESSION_COOKIE_NAME
            context.add_cookies([{"name": name, "value": client_of(who).cookies[name].value, "url": live_server.url}])
            page = context.new_page()
            page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            return page

        yield opened
        browser.close()
    assert [text for text in complaints if "status of 409" not in text] == []


def state_of(case: Case) -> tuple[str, User | None]:
    found = Case.objects.select_related("owner__user").get(pk=case.pk)
    return found.state, found.owner.user if found.owner else None


def current(page: Page) -> str | None:
    return page.evaluate("document.querySelector('.case-row.at')?.dataset.number")


def calm(page: Page) -> None:
    """Wait until nothing is loaded any more: a database in memory refuses who reads while another writes."""
    page.wait_for_load_state("networkidle")


def shoot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png")


def test_keys_move_assign_snooze_and_undo(page_of, cases, alice, bob):
    page = page_of(alice)
    page.goto("/acme/inbox/")
    first, second = (page.locator(".case-row").nth(place).get_attribute("data-number") for place in (0, 1))
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert current(page) == second
    page.keyboard.press("k")
    assert current(page) == first
    page.keyboard.press("Enter")
    page.locator(f"#case[data-number='{first}']").wait_for()
    page.wait_for_url(f"**/acme/cases/{first}/**")
    calm(page)
    page.keyboard.press("j")  # the case stays opened while another row is the current one
    page.keyboard.press("a")
    page.select_option("#assign-to", label=str(bob))
    page.locator("#assign-dialog button[type=submit]").click()
    page.locator(f".toast.undo >> text=#{second}").wait_for()
    assert state_of(Case.objects.get(number=second))[1] == bob
    assert state_of(Case.objects.get(number=first))[1] is None
    page.keyboard.press("u")
    page.locator(".toast >> text=It is as it was").wait_for()
    assert state_of(Case.objects.get(number=second))[1] is None
    page.goto(f"/acme/cases/{first}/")
    calm(page)
    page.keyboard.press("s")
    page.locator("#snooze-dialog button[type=submit]").click()
    page.locator(f".toast.undo >> text=#{first}").wait_for()
    calm(page)
    assert state_of(Case.objects.get(number=first))[0] == "snoozed"
    page.keyboard.press("u")
    page.locator(".toast >> text=It is as it was").wait_for()
    assert state_of(Case.objects.get(number=first))[0] == "new"


def test_several_are_marked_and_settled_at_once(page_of, cases, alice):
    page = page_of(alice)
    page.goto("/acme/inbox/")
    for key in "jxjx":
        page.keyboard.press(key)
    assert page.locator("[data-marked]").inner_text() == "2 marked"
    page.keyboard.press("e")
    page.locator(".toast.undo >> text=2 cases").wait_for()
    assert Case.objects.filter(state="resolved").count() == 2
    page.keyboard.press("u")
    page.locator(".toast >> text=It is as it was").wait_for()
    assert not Case.objects.filter(state="resolved").exists()


def test_the_second_of_two_is_told_and_may_do_it_all_the_same(page_of, cases, alice, bob):
    case = cases[0]
    slow, quick = page_of(alice), page_of(bob)
    for page in (slow, quick):
        page.goto(f"/acme/cases/{case.number}/")
        calm(page)
    quick.keyboard.press("m")
    quick.locator(".toast.undo").wait_for()
    calm(quick)
    slow.keyboard.press("m")
    slow.locator("h1 >> text=Somebody was faster").wait_for()
    assert state_of(case)[1] == bob and str(bob) in slow.locator("main").inner_text()
    assert violations(slow) == []
    slow.locator("text=Do it all the same").click()
    slow.locator(".toast.undo").wait_for()
    assert state_of(case)[1] == alice


def test_the_bar_of_a_phone_has_four_stops_and_the_rest_under_more(page_of, workspace, alice):
    page = page_of(alice, *SIZES[1])
    page.goto("/acme/trends/")
    assert page.locator(".rail > ul > li:visible").count() == 4
    more = page.locator(".rail details.more")
    assert more.locator("summary").inner_text().split() == ["More", "Trends"]
    more.locator("summary").click()
    assert more.locator("[aria-current=page]").inner_text() == "Trends" and violations(page) == []
    shoot(page, "more-390-dark")
    more.get_by_text("Sources").click()
    page.wait_for_url("**/acme/sources/")


@pytest.mark.parametrize(("width", "scheme"), SIZES, ids=["wide light", "narrow dark"])
def test_the_queue_is_paged_and_leads_back_to_the_top(page_of, workspace, cases, alice, width, scheme):
    for number in range(ON_A_PAGE):
        _case(workspace, f"Question {number}")
    page = page_of(alice, width, scheme)
    page.goto("/acme/inbox/")
    top = page.locator(".case-row").first.get_attribute("data-number")
    shoot(page, f"inbox-{width}-{scheme}")
    page.locator(".pager [rel=next]").click()
    page.locator(".pager [rel=prev]").wait_for()
    assert page.locator(".case-row").count() == len(cases) and violations(page) == []
    shoot(page, f"pager-{width}-{scheme}")
    page.locator(".pager >> text=Top").click()
    page.locator(".pager [rel=next]").wait_for()
    assert page.locator(".case-row").first.get_attribute("data-number") == top
    other = Case.objects.get(number=top)
    page.goto(f"/acme/cases/{top}/")
    calm(page)
    actions.set_priority(other, priority="risk", by=User.objects.get(email="bob@example.org"), now=timezone.now())
    page.locator(".case-acts [value=mine]").click()
    page.locator("h1 >> text=Somebody was faster").wait_for()
    assert violations(page) == []
    shoot(page, f"conflict-{width}-{scheme}")
