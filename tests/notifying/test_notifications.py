"""What members are told, how they chose it, and the mails that gather it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail

from talkworthy.notifying import actions, selectors
from talkworthy.notifying.kinds import KINDS
from talkworthy.notifying.models import Notification
from talkworthy.notifying.sending import mail_digest
from talkworthy.workspaces.models import Member, User

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=3)


@pytest.fixture
def member(alice):
    return Member.objects.get(user=alice)


@pytest.fixture
def decoy(bob):
    """Bob was told something, too."""
    return tell(Member.objects.get(user=bob), key="of bob", text="Bob alone may read this")


def tell(member, *, key="case 7", kind="assigned", text="#7 is yours now", now=NOW):
    return actions.notify(member, kind=kind, text=text, address="/acme/cases/7/", key=key, now=now)


def choose(member, kind, *, in_page, by_mail):
    chosen = {each.name: (True, False) for each in KINDS} | {kind: (in_page, by_mail)}
    actions.choose_notifications(member, chosen=chosen)


def test_a_key_is_told_once(member, decoy):
    assert tell(member) is not None and tell(member, text="again") is None
    assert [row.text for row in selectors.notifications(viewer=member)] == ["#7 is yours now"]
    assert selectors.unseen_count(viewer=member) == 1


def test_who_wants_to_hear_nothing_of_a_kind_is_told_nothing(member):
    choose(member, "assigned", in_page=False, by_mail=False)
    assert tell(member) is None and tell(member, kind="due", key="due 7") is not None


def test_who_wants_mails_alone_finds_nothing_in_the_page(member):
    choose(member, "assigned", in_page=False, by_mail=True)
    tell(member)
    assert selectors.unseen_count(viewer=member) == 0
    mail_digest(now=LATER)
    assert [sent.subject for sent in mail.outbox] == ["#7 is yours now"]


def test_what_happens_within_two_minutes_goes_into_one_mail(member, decoy):
    choose(member, "assigned", in_page=True, by_mail=True)
    tell(member)
    tell(member, key="case 8", text="#8 is yours now", now=NOW + timedelta(minutes=1))
    assert mail_digest(now=NOW + timedelta(minutes=1)) == 0
    assert mail_digest(now=LATER) == 1 and mail_digest(now=LATER) == 0
    (sent,) = mail.outbox
    assert sent.to == ["alice@example.org"] and sent.subject == "2 things wait for you"
    assert (
        "#7 is yours" in sent.body and "#8 is yours" in sent.body and "http://localhost:8100/acme/cases/7/" in sent.body
    )


def test_what_was_seen_by_then_is_not_mailed(member):
    choose(member, "assigned", in_page=True, by_mail=True)
    tell(member)
    actions.see_notifications(member, now=NOW)
    assert mail_digest(now=LATER) == 1 and mail.outbox == []


def test_a_mail_that_cannot_be_sent_is_tried_again(member, settings):
    choose(member, "assigned", in_page=True, by_mail=True)
    tell(member)
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = (
        "django.core.mail.backends.smtp.EmailBackend",
        "127.0.0.1",
        1,
    )
    assert mail_digest(now=LATER) == 1 and mail_digest(now=LATER) == 0
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert mail_digest(now=LATER + timedelta(minutes=6)) == 1
    assert len(mail.outbox) == 1


def test_the_bell_answers_nothing_while_nothing_changed(client_of, alice, member, decoy):
    tell(member)
    client = client_of(alice)
    first = client.get("/acme/notifications/bell/")
    assert "#7 is yours now" in first.content.decode() and "Bob alone" not in first.content.decode()
    assert client.get("/acme/notifications/bell/", {"stamp": first.context["stamp"]}).status_code == 204
    tell(member, key="case 8")
    assert client.get("/acme/notifications/bell/", {"stamp": first.context["stamp"]}).status_code == 200


def test_to_follow_it_is_to_have_seen_it(client_of, alice, member, decoy):
    told = tell(member)
    client = client_of(alice)
    assert client.get(f"/acme/notifications/{told.pk}/").headers["Location"] == "/acme/cases/7/"
    assert selectors.unseen_count(viewer=member) == 0
    assert client.get(f"/acme/notifications/{decoy.pk}/").status_code == 404


@pytest.mark.parametrize("address", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_it_leads_nowhere_else(client_of, alice, member, address):
    told = tell(member)
    Notification.objects.filter(pk=told.pk).update(address=address)
    assert client_of(alice).get(f"/acme/notifications/{told.pk}/").headers["Location"] == "/acme/notifications/"


def test_everything_is_seen_at_once_but_what_others_were_told(client_of, alice, member, decoy):
    tell(member)
    client_of(alice).post("/acme/notifications/seen/")
    assert [row.seen_at is None for row in Notification.objects.order_by("pk")] == [True, False]


def test_a_page_of_many_notifications_asks_little(client_of, alice, member, django_assert_max_num_queries):
    for number in range(60):
        tell(member, key=f"case {number}", text=f"#{number} is yours")
    client = client_of(alice)
    with django_assert_max_num_queries(8):
        page = client.get("/acme/notifications/").content.decode()
    assert page.count("is yours") == 50 and "Older" in page


def test_choices_are_kept_by_the_page(client_of, alice, member):
    client = client_of(alice)
    client.post("/acme/notifications/choices/", {"in_page": ["due"], "by_mail": ["assigned", "unknown"]})
    chosen = {kind.name: (page, by_mail) for kind, page, by_mail in selectors.choices(viewer=member)}
    assert (chosen["due"], chosen["assigned"], chosen["missed"]) == ((True, False), (False, True), (False, False))
    assert client.get("/acme/notifications/choices/").status_code == 200


def test_a_stranger_finds_no_bell(client_of, dan, workspace):
    assert client_of(dan).get("/acme/notifications/bell/").status_code == 404


def test_whose_account_was_closed_is_mailed_nothing(member):
    choose(member, "assigned", in_page=True, by_mail=True)
    tell(member)
    User.objects.filter(pk=member.user_id).update(is_active=False)
    assert mail_digest(now=LATER) == 0 and mail.outbox == []
