"""Forms that make something make it once, however often they are sent."""

import re

import pytest
from tests.conftest import NOW

from talkworthy.ecosystem import actions as touchpoints
from talkworthy.ecosystem.models import Promise, Touchpoint
from talkworthy.listening.models import AlertRule, Job, Monitor, Source
from talkworthy.people.models import Person, Segment
from talkworthy.responding.models import Draft
from talkworthy.routing import actions
from talkworthy.routing.models import Case, Conversation, EscalationStep, Message, Note, Rule, Target
from talkworthy.workspaces.models import AuditEntry, Member, SentForm

pytestmark = pytest.mark.django_db
KEY = "0123456789abcdef" * 2
PLACE = {"name": "Check-out", "kind": "sales", "query": "checkout", "colour": "teal"}


@pytest.fixture
def desk(filled, alice):
    """A touchpoint, a target and a case, to make something at."""
    place = touchpoints.create_touchpoint(filled, **PLACE, by=alice, now=NOW)
    Target.objects.create(workspace=filled, priority="service", first_answer=60)
    talk = Conversation.objects.create(workspace=filled, channel="forum", root="r", first_at=NOW, last_at=NOW)
    Message.objects.create(workspace=filled, conversation=talk, uid="r", text="Broken", at=NOW)
    case, _new = actions.open_case(talk, title="Broken", by=None, now=NOW)
    return {"place": place.pk, "case": case.number, "target": Target.objects.get().pk}


FORMS = {
    "rule": ("routing/rules/new/", Rule, {"name": "Router", "condition": "router", "do": ["open_case"], "to": [""]}),
    "starter": ("routing/rules/start/", Rule, {}),
    "replay": (
        "routing/rules/replay/", Job.objects.filter(kind="replay"),
        {"name": "Router", "condition": "router", "do": ["open_case"], "to": [""], "span": "7d"},
    ),
    "monitor": ("monitors/new/", Monitor, {"name": "Lamps", "kind": "brand", "colour": "blue", "query": "lamp"}),
    "alert rule": ("alerts/rules/new/?kind=unusual", AlertRule,
        {"monitor": "{monitor}", "minimum": "8", "threshold": "0.01", "enabled": "on"},
   ),
    "source": (
        "sources/new/mastodon/", Source,
        {"name": "Acme", "setting_server": "social.example", "setting_what": "hashtag", "setting_hashtags": "acme",
         "setting_history": "200", "keep": "all", "interval": "900"},
    ),
    "touchpoint": ("touchpoints/new/", Touchpoint, {**PLACE, "name": "Hotline"}),
    "promise": (
        "touchpoints/{place}/promises/new/", Promise,
        {"words": "In two days", "made_in": "Home", "valid_from": "2026-01-01"},
    ),
    "person": (
        "people/new/", Person,
        {"name": "Zoe", "basis": "interest", "basis_note": "x", "notice": "due", "retain_until": "2031-01-01",
         "retention": "ask"},
    ),
    "segment": ("people/segments/new/", Segment, {"name": "All", "query": "has:email"}),
    "note": ("cases/{case}/notes/", Note, {"text": "Called back"}),
    "step": (
        "settings/targets/steps/", EscalationStep,
        {"target": "{target}", "minutes": "30", "after": "unanswered", "does": "inform", "whom": "lead"},
    ),
    "change of many": ("inbox/many/", Job.objects.filter(kind="cases"), {"carried": "", "do": "resolve"}),
}  # fmt: skip


def counted(made):
    return made.count() if hasattr(made, "count") else made.objects.count()


@pytest.mark.parametrize("form", FORMS)
def test_a_second_click_makes_nothing_and_says_so(client_of, alice, desk, workspace, form):
    path, made, told = FORMS[form]
    known = {**desk, "monitor": Monitor.objects.filter(workspace=workspace, name="Acme").get().pk}
    told = {name: value.format(**known) if isinstance(value, str) else value for name, value in told.items()}
    client, address = client_of(alice), f"/acme/{path.format(**known)}"
    before = counted(made)
    first = client.post(address, {**told, "once": KEY})
    assert first.status_code == 302, first.content.decode()
    assert counted(made) == before + 1
    entries = AuditEntry.objects.count()
    second = client.post(address, {**told, "once": KEY})
    assert (second.status_code, second.headers["Location"]) == (302, first.headers["Location"])
    assert (counted(made), AuditEntry.objects.count()) == (before + 1, entries)
    said = client.get(second.headers["Location"].partition("#")[0], follow=True).content.decode()
    assert "It was sent twice, and done once: here it is." in said


def test_what_was_changed_after_going_back_or_is_of_another_member_is_another_thing(client_of, alice, bob, desk):
    address = f"/acme/cases/{desk['case']}/notes/"
    for client, text in ((client_of(alice), "One"), (client_of(alice), "Two")):
        client.post(address, {"text": text, "once": KEY})
    Member.objects.filter(user=bob).update(role="agent")
    client_of(bob).post(address, {"text": "One", "once": KEY})
    assert list(Note.objects.order_by("pk").values_list("text", flat=True)) == ["One", "Two", "One"]


def test_what_was_refused_is_sent_again_as_it_was(client_of, alice, desk):
    client, address = client_of(alice), f"/acme/cases/{desk['case']}/notes/"
    client.post(address, {"text": " ", "once": KEY})
    assert client.post("/acme/touchpoints/new/", {**PLACE, "query": "(", "once": KEY}).status_code == 422
    assert not SentForm.objects.exists() and not Note.objects.exists()


def test_a_key_that_is_none_and_a_form_without_one_do_as_ever(client_of, alice, desk):
    client, address = client_of(alice), f"/acme/cases/{desk['case']}/notes/"
    for key in ({}, {"once": "x"}, {"once": ""}):
        client.post(address, {"text": "Called", **key})
    assert Note.objects.count() == 3


@pytest.mark.parametrize(
    "page",
    [
        "routing/rules/new/", "monitors/new/", "touchpoints/new/", "touchpoints/{place}/promises/new/", "people/new/",
        "people/segments/new/", "cases/{case}/", "inbox/many/", "settings/targets/", "sources/new/mastodon/",
        "alerts/rules/new/?kind=unusual",
    ],
)  # fmt: skip
def test_every_form_that_makes_something_carries_a_key_of_its_own(client_of, alice, desk, page):
    client, address = client_of(alice), f"/acme/{page.format(**desk)}"
    keys = [re.findall(r'name="once" value="([0-9a-f]{32})"', client.get(address).content.decode()) for _look in (1, 2)]
    assert keys[0] and keys[1] and not set(keys[0]) & set(keys[1])


def test_beginning_to_answer_twice_makes_one_draft(client_of, alice, desk):
    client = client_of(alice)
    for _click in (1, 2):
        client.post(f"/acme/replies/case/{desk['case']}/start/")
    assert Draft.objects.count() == 1 and Case.objects.count() == 1
