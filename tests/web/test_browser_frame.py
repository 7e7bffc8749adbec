"""A browser walks through the pages: no violation that axe finds, and the keyboard leads everywhere."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import axe_core_python
import pytest
from django.utils import timezone
from playwright.sync_api import Page, sync_playwright

from talkworthy.ecosystem import actions as ecosystem
from talkworthy.learning.models import Label, Pair
from talkworthy.listening.models import Alert, AlertRule, Job, Monitor, Source
from talkworthy.people import actions as people
from talkworthy.people.models import LinkSuggestion
from talkworthy.routing import actions as routing
from talkworthy.routing.actions.playbooks import playbook_of
from talkworthy.routing.actions.rules import create_rule
from talkworthy.routing.models import Conversation, Message
from talkworthy.workspaces.models import AuditEntry, Member, Team, Token, User

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
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PASSWORD = "eleven purple umbrellas"
PAGES = [
    "sources/",
    "sources/new/",
    "sources/new/mastodon/",
    "sources/{source}/",
    "alerts/",
    "alerts/rules/",
    "alerts/rules/new/?kind=unusual",
    "people/",
    "people/{person}/",
    "people/{person}/merge/?q=a",
    "people/new/",
    "people/links/",
    "people/exchange/",
    "people/crm/new/",
    "inbox/",
    "reports/",
    "routing/rules/",
    "routing/rules/new/",
    "routing/rules/{rule}/",
    "cases/{case}/?why=1",
    "settings/targets/",
    "settings/hours/",
    "settings/teams/",
    "settings/availability/",
    "notifications/choices/",
    "routing/playbook/",
    "routing/playbook/1/",
    "routing/playbook/1/edit/",
    "touchpoints/",
    "touchpoints/new/",
    "touchpoints/{touchpoint}/",
    "touchpoints/{touchpoint}/promises/new/",
    "jobs/",
    "jobs/{job}/",
    "settings/",
    "settings/members/",
    "settings/tokens/",
    "settings/data/",
    "settings/erasure/",
    "settings/audit/",
    "settings/models/",
    "settings/models/sentiment/quality/",
    "settings/models/sentiment/labels/",
    "settings/models/sentiment/label/",
    "settings/models/sentiment/undecided/",
    "settings/models/sentiment/drift/",
    "settings/models/recompute/",
    "settings/models/labels/import/",
    "settings/models/same-matter/",
    "touchpoints/{touchpoint}/examples/",
    "follow/?words=Acme%20Router",
]
ACCOUNT = ["profile/", "password/change/", "2fa/"]
SIZES = [(1440, "light"), (390, "dark")]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed"),
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture(autouse=True)
def _allow_database_beside_playwright(monkeypatch):
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's loop runs in this thread


@pytest.fixture
def filled_pages(workspace, alice) -> dict[str, int]:
    """Something on every page, long and right-to-left names among it."""
    alice.set_password(PASSWORD)
    alice.save()
    member = Member.objects.get(user=alice)
    name = "Dr. Maximiliane Theodora von und zu Hohenfels-Langenburg-Schwarzenfels"
    Member.objects.create(workspace=workspace, user=User.objects.create_user("m@example.org", name=name), role="agent")
    source = Source.objects.create(
        workspace=workspace, connector="webhook", name="صندوق الدعم", key="key", state="retrying", last_error="x" * 300
    )
    monitor = Monitor.objects.create(workspace=workspace, name="Acme 🚀", query="acme", colour="purple")
    rule = AlertRule.objects.create(workspace=workspace, kind="unusual", owner=member)
    figures = {"count": 42, "expected": 6.4, "probability": 1e-6, "n": 84, "since": "2026-03-04T11:00:00+00:00"}
    figures["until"] = "2026-03-04T12:00:00+00:00"
    Alert.objects.create(workspace=workspace, rule=rule, monitor=monitor, period="a", evidence=figures)
    job = Job.objects.create(
        workspace=workspace, kind="export", state="running", done=5, total=9, request={"query": "a"}
    )
    Token.objects.create(
        workspace=workspace, member=member, name="t", prefix="tw_abc", digest="d" * 64, scopes=["posts:read"]
    )
    AuditEntry.objects.create(
        workspace=workspace, by=alice, verb="change", noun="monitor", key="1", after={"a": "b" * 200}
    )
    Source.objects.filter(pk=source.pk).update(last_fetch_at=timezone.now())
    _labels(workspace)
    return {
        "source": source.pk,
        "job": job.pk,
        "case": _case(workspace, alice),
        "rule": _rule(workspace, alice),
        "person": _person(workspace, alice),
        "touchpoint": _touchpoint(workspace, alice),
    }


def _labels(workspace) -> None:
    """Labels drawn by lot in three languages, one of which has too few, and pairs that were judged."""
    for number in range(90):
        told = {"value": "positive", "answer": "positive" if number % 3 else "undecided", "drawn": True}
        language, channel = ("en", "de", "en", "zh")[number % 4 if number % 12 == 3 else number % 3], "mastodon"
        where = {"language": language, "channel": channel, "model": "fast 1.0 +sentiment.1 ~sentiment.60"}
        Label.objects.create(workspace=workspace, uid=f"a:{number}", post_id=number, task="sentiment", **told, **where)
        pair = {
            "first_uid": f"a:{number}",
            "second_uid": f"b:{number}",
            "first_id": 1,
            "second_id": 2,
            "model": "similar",
        }
        Pair.objects.create(workspace=workspace, same=number % 2 == 0, probability=0.6 + number % 40 / 100, **pair)


def _case(workspace, alice) -> int:
    """A case with a message, a note, a tag and a team, and one that nothing is known of."""
    now = timezone.now()
    times = {"first_at": now, "last_at": now, "last_inward_at": now}
    titles = ["أين طلبي؟", "Where is " + "my order " * 30]
    for number, title in enumerate(titles):
        root = f"mastodon::{number}"
        talk = Conversation.objects.create(workspace=workspace, channel="mastodon", root=root, **times)
        case, _new = routing.open_case(talk, title=title, by=None, now=now)
        if number:
            Message.objects.create(
                workspace=workspace, conversation=talk, uid=root, text=title, at=now, author_name="Zoe"
            )
    team = Team.objects.create(workspace=workspace, name="الدعم", slug="support", colour="purple")
    routing.assign_case(case, owner=None, team=team, by=alice, now=now)
    routing.tag_case(case, add=["t" * 60], by=alice, now=now)
    routing.add_note(case, text="Look into this", by=Member.objects.get(user=alice), now=now)
    return case.number


def _rule(workspace, alice) -> int:
    """A rule that opens cases, beside the playbook that everybody begins with."""
    playbook_of(workspace, now=timezone.now())
    effects = [{"do": "open_case"}, {"do": "tag", "tag": "router"}]
    made = create_rule(
        workspace, name="R" * 70, condition="router OR modem", effects=effects, by=alice, now=timezone.now()
    )
    return made.pk


def _touchpoint(workspace, alice) -> int:
    """A touchpoint with a promise that was made at a long address."""
    now = timezone.now()
    made = ecosystem.create_touchpoint(
        workspace, name="الدعم", kind="support", query="support OR الدعم", by=alice, now=now
    )
    address = f"https://example.org/{'long/' * 20}"
    given = {"words": "In two days" * 20, "made_in": "m" * 90, "address": address, "valid_from": now.date()}
    ecosystem.add_promise(made, **given, by=alice, now=now)
    return made.pk


def _person(workspace, alice) -> int:
    """Somebody of two records with an account, who may be the same as somebody else."""
    now = timezone.now()
    kept = {"basis": "interest", "basis_note": "They wrote", "retain_until": now + timedelta(days=9), "by": alice}
    account = people.identity_of(workspace, {"id": "a", "handle": "محمد"}, "mastodon", now=now)
    ann, other = (people.create_person(workspace, name=name, now=now, **kept) for name in ("محمد علي", "A" * 120))
    people.link_identity(account, ann, by=alice, now=now)
    people.add_attribute(ann, name="email", value="a@example.org", source="member", by=alice, now=now)
    people.merge_persons(other, ann, by=alice, now=now)
    third = people.create_person(workspace, name="Third", now=now, **kept)
    evidence = [{"field": "email", "left": "a" * 90, "right": "a@example.org", "level": "alike", "bits": 6.1}]
    pair = {"left": f"person:{ann.pk}", "right": f"person:{third.pk}", "probability": 0.9, "evidence": evidence}
    LinkSuggestion.objects.create(workspace=workspace, model="m", **pair)
    return ann.pk


@pytest.fixture
def browser_page(request, live_server) -> Iterator[Page]:
    """A page of a browser of a size and a scheme, where whatever the console complains of fails the test."""
    width, scheme = getattr(request, "param", SIZES[0])
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


@pytest.mark.parametrize("browser_page", SIZES, indirect=True, ids=["wide light", "narrow dark"])
def test_no_page_has_a_violation_or_runs_over(browser_page, filled_pages):
    page = browser_page
    page.goto("/account/login/")
    wrong = {"login": violations(page)}
    sign_in(page)
    paths = [f"/acme/{path.format(**filled_pages)}" for path in PAGES] + [f"/account/{path}" for path in ACCOUNT]
    for path in paths:
        page.goto(path)
        wrong[path] = violations(page)
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wrong[path].append("runs over its side")
    assert {path: found for path, found in wrong.items() if found} == {}


def test_the_keyboard_leads_everywhere(browser_page, filled_pages):
    page = browser_page
    sign_in(page)
    page.goto("/acme/alerts/")
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.wait_for_url("**/acme/sources/")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.matches('tr[data-item].at')")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/acme/sources/{filled_pages['source']}/")
    page.keyboard.press("?")
    assert page.locator("#help").is_visible() and "Look now" in page.locator("#help").inner_text()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.keyboard.type("tren")
    page.locator("#command-found [role=option] >> text=“tren”").wait_for()
    page.keyboard.press("ArrowUp")
    assert page.get_attribute("#command", "aria-activedescendant")
    page.keyboard.press("Enter")
    page.wait_for_url("**/acme/trends/")


def test_what_was_done_can_be_undone_with_one_key(browser_page, filled_pages):
    page = browser_page
    sign_in(page)
    page.goto(f"/acme/sources/{filled_pages['source']}/")
    page.keyboard.press("p")
    page.locator(".toast.undo").wait_for()
    assert Source.objects.get(pk=filled_pages["source"]).state == "paused"
    page.keyboard.press("u")
    page.locator(".toast >> text=listened to again").wait_for()
    assert Source.objects.get(pk=filled_pages["source"]).state == "new"


def test_the_second_factor_can_be_turned_on(browser_page, filled_pages):
    page = browser_page
    sign_in(page)
    page.goto("/account/2fa/totp/activate/")
    page.fill("#id_password", PASSWORD)
    page.press("#id_password", "Enter")
    page.locator("img.qr").wait_for()
    assert page.evaluate("document.querySelector('img.qr').naturalWidth") > 100
    assert violations(page) == []
    from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time

    secret = page.get_attribute("[data-copy]", "data-copy") or ""
    page.fill("#id_code", format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time()))))
    page.press("#id_code", "Enter")
    page.locator("ul.codes li").first.wait_for()
    assert page.locator("ul.codes li").count() == 10 and violations(page) == []
