"""Events on their way to programs: signed, tried again, given up, shown, sent again by hand."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from talkworthy.connectors.http import Http
from talkworthy.notifying import actions
from talkworthy.notifying.events import EVENT_TYPES
from talkworthy.notifying.models import Endpoint, Event, Notification, WebhookDelivery
from talkworthy.notifying.sending import PAUSES, deliver_webhook, pause_before
from talkworthy.workspaces.models import AuditEntry, Workspace

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "webhooks.md"


class Program:
    """What listens at the address: it answers as it is told, and keeps what it got."""

    def __init__(self):
        self.status = 200
        self.headers = {}
        self.text = "said the program"
        self.got = []

    def opens(self, workspace):
        return Http(transport=httpx.MockTransport(self._answer), sleep=lambda _: None)

    def _answer(self, request):
        self.got.append(request)
        return httpx.Response(self.status, headers=self.headers, text=self.text)


@pytest.fixture
def program():
    return Program()


@pytest.fixture
def made(workspace, alice):
    decoy = Workspace.objects.create(name="Decoy", slug="decoy")
    actions.add_endpoint(decoy, name="Decoy", url="https://decoy.example/", events=[], by=alice, now=NOW)
    return actions.add_endpoint(
        workspace, name="CRM", url="https://crm.example/hook", events=["case.opened"], by=alice, now=NOW
    )


@pytest.fixture
def told(made):
    return actions.tell(made.endpoint.workspace, type="case.opened", data={"case": 7}, now=NOW)


def verify(secret, request):
    """As the program does, at the time of the call."""
    headers = dict(request.headers)
    Webhook(secret).verify(request.content, {**headers}, json_parse=True)


def test_only_who_asked_for_an_event_is_told(made, workspace):
    assert actions.tell(workspace, type="case.state", data={}, now=NOW) is None
    assert actions.tell(workspace, type="case.opened", data={"case": 7}, now=NOW) is not None
    assert [row.endpoint.name for row in WebhookDelivery.objects.all()] == ["CRM"]


def test_an_event_that_is_in_no_table_is_refused(made, workspace):
    with pytest.raises(ValueError, match="is no event"):
        actions.tell(workspace, type="case.exploded", data={}, now=NOW)


def test_a_call_is_signed_so_that_the_library_of_the_standard_takes_it(made, workspace, program):
    now = timezone.now()
    actions.tell(workspace, type="case.opened", data={"case": 7}, now=now)
    assert deliver_webhook(now=now, opens=program.opens) == 1
    (request,) = program.got
    verify(made.secret, request)
    assert json.loads(request.content) == {"type": "case.opened", "timestamp": now.isoformat(), "data": {"case": 7}}
    with pytest.raises(WebhookVerificationError):
        verify("whsec_" + "A" * 43 + "=", request)
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.status, delivery.answer) == ("delivered", 200, "said the program")


def test_after_a_change_both_secrets_sign_for_a_day(made, workspace, alice, program):
    now = timezone.now()
    newer = actions.rotate_secret(made.endpoint, by=alice, now=now)
    actions.tell(workspace, type="case.opened", data={}, now=now)
    deliver_webhook(now=now, opens=program.opens)
    verify(made.secret, program.got[0])
    verify(newer.secret, program.got[0])
    later = now + timedelta(days=1, seconds=1)
    assert actions.secrets_of(Endpoint.objects.get(pk=made.endpoint.pk), now=later) == [newer.secret]


def test_the_secret_lies_encrypted(made):
    assert made.secret.encode() not in bytes(Endpoint.objects.get(pk=made.endpoint.pk).secret)
    assert made.secret not in json.dumps(list(AuditEntry.objects.values("before", "after", "label")))


def test_a_failed_call_is_tried_again_after_growing_pauses_with_the_same_name(told, program):
    program.status = 503
    assert deliver_webhook(now=NOW, opens=program.opens) == 1
    assert deliver_webhook(now=NOW + timedelta(seconds=2), opens=program.opens) == 0
    program.status = 200
    assert deliver_webhook(now=NOW + timedelta(seconds=6), opens=program.opens) == 1
    assert len({request.headers["webhook-id"] for request in program.got}) == 1
    assert Endpoint.objects.get(name="CRM").failing_since is None


def test_an_answer_that_no_database_keeps_does_not_make_the_call_again(told, program):
    program.text = "ok\0"
    assert deliver_webhook(now=NOW, opens=program.opens) == 1
    assert WebhookDelivery.objects.get().answer == "ok"


def test_pauses_grow_and_a_server_may_ask_for_more():
    pauses = [pause_before(attempt, asked=None, chance=0.5) for attempt in range(1, 12)]
    assert pauses == sorted(pauses) and pauses[0] == timedelta(seconds=5)
    assert pause_before(1, asked=600, chance=0.5) == timedelta(minutes=10)
    assert pause_before(1, asked=1e9, chance=0.5) == timedelta(days=1)


def test_it_is_given_up_in_the_end_and_administrators_hear_of_it(told, program):
    program.status, at = 500, NOW
    for _attempt in range(len(PAUSES) + 1):
        deliver_webhook(now=at, opens=program.opens)
        at += timedelta(days=2)
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.attempts) == ("failed", 10)
    assert Endpoint.objects.get(name="CRM").failing_since == NOW
    assert [row.member.user.name for row in Notification.objects.all()] == ["Alice"]
    assert deliver_webhook(now=at, opens=program.opens) == 0


def test_while_one_fails_what_else_waits_for_the_endpoint_waits_with_it(told, workspace, program):
    actions.tell(workspace, type="case.opened", data={"case": 8}, now=NOW)
    program.status = 500
    assert deliver_webhook(now=NOW, opens=program.opens) == 1
    assert deliver_webhook(now=NOW + timedelta(seconds=1), opens=program.opens) == 0
    assert len(program.got) == 1


def test_what_another_worker_holds_is_left_alone(told, program):
    WebhookDelivery.objects.update(claimed_until=NOW + timedelta(minutes=1))
    assert deliver_webhook(now=NOW, opens=program.opens) == 0
    assert deliver_webhook(now=NOW + timedelta(minutes=2), opens=program.opens) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://10.0.0.7/", "http://[::1]/hook"])
def test_an_address_in_a_private_network_is_never_called(workspace, alice, url):
    actions.add_endpoint(workspace, name="Inside", url=url, events=[], by=alice, now=NOW)
    actions.tell(workspace, type="case.opened", data={}, now=NOW)
    assert deliver_webhook(now=NOW) == 1
    delivery = WebhookDelivery.objects.get()
    assert delivery.state == "waiting" and delivery.status is None and "private" in delivery.answer


def test_an_endpoint_that_is_off_is_told_nothing(told, made, workspace, alice, program):
    actions.change_endpoint(made.endpoint, enabled=False, by=alice, now=NOW)
    assert actions.tell(workspace, type="case.opened", data={}, now=NOW) is None
    assert deliver_webhook(now=NOW, opens=program.opens) == 0
    with pytest.raises(actions.Refused, match="Turn it on"):
        actions.send_again(WebhookDelivery.objects.get(), by=alice, now=NOW)


def test_an_endpoint_that_is_being_called_keeps_no_other_waiting(told, made, workspace, alice, program):
    actions.tell(workspace, type="case.opened", data={"case": 8}, now=NOW)
    slow = WebhookDelivery.objects.order_by("pk").first()
    WebhookDelivery.objects.filter(pk=slow.pk).update(claimed_until=NOW + timedelta(minutes=1))  # by another thread
    assert deliver_webhook(now=NOW, opens=program.opens) == 0
    other = actions.add_endpoint(workspace, name="ERP", url="https://erp.example/", events=[], by=alice, now=NOW)
    actions.tell(workspace, type="case.state", data={}, now=NOW)
    assert deliver_webhook(now=NOW, opens=program.opens) == 1
    assert [request.url.host for request in program.got] == ["erp.example"]
    assert not other.endpoint.deliveries.filter(state="waiting").exists()


def test_an_event_goes_with_the_transaction_in_which_it_was_told(made, workspace):
    from django.db import transaction

    with pytest.raises(RuntimeError), transaction.atomic():
        actions.tell(workspace, type="case.opened", data={}, now=NOW)
        raise RuntimeError
    assert not Event.objects.exists() and not WebhookDelivery.objects.exists()


def test_an_administrator_adds_tests_and_looks_at_an_endpoint(client_of, alice, workspace, program):
    client = client_of(alice)
    page = client.post(
        "/acme/settings/webhooks/", {"name": "CRM", "url": "https://crm.example/", "events": ["case.opened"]}
    )
    secret = page.context["made"].secret
    assert secret in page.content.decode() and secret not in client.get("/acme/settings/webhooks/").content.decode()
    one = Endpoint.objects.get()
    client.post(f"/acme/settings/webhooks/{one.pk}/test/")
    program.status = 410
    deliver_webhook(now=timezone.now(), opens=program.opens)
    page = client.get(f"/acme/settings/webhooks/{one.pk}/").content.decode()
    assert "410" in page and "said the program" in page and "Fails since" in page
    client.post(f"/acme/settings/webhooks/deliveries/{WebhookDelivery.objects.get().pk}/again/")
    assert WebhookDelivery.objects.get().state == "waiting"
    client.post(f"/acme/settings/webhooks/{one.pk}/", {"name": "Till", "url": "https://crm.example/", "enabled": "on"})
    assert Endpoint.objects.get().name == "Till"
    assert client.post(f"/acme/settings/webhooks/{one.pk}/secret/").context["made"].secret != secret
    client.post(f"/acme/settings/webhooks/{one.pk}/remove/")
    assert not Endpoint.objects.exists()
    verbs = list(AuditEntry.objects.order_by("pk").values_list("verb", flat=True))
    assert verbs == ["create", "send again", "change", "rotate secret of", "remove"]


@pytest.mark.parametrize("path", ["", "{}/", "{}/secret/", "{}/test/", "{}/remove/"])
def test_who_does_not_administer_may_do_nothing_with_endpoints(client_of, bob, made, path):
    answer = client_of(bob).post(f"/acme/settings/webhooks/{path.format(made.endpoint.pk)}", {"name": "x"})
    assert answer.status_code == 403 and Endpoint.objects.filter(name="CRM").exists()


def test_endpoints_and_deliveries_of_another_workspace_are_not_there(client_of, alice, made, told):
    other = Endpoint.objects.get(name="Decoy")
    theirs = WebhookDelivery.objects.create(endpoint=other, event=told)
    client = client_of(alice)
    assert client.get(f"/acme/settings/webhooks/{other.pk}/").status_code == 404
    assert client.post(f"/acme/settings/webhooks/deliveries/{theirs.pk}/again/").status_code == 404
    assert "decoy.example" not in client.get("/acme/settings/webhooks/").content.decode()


def test_the_page_of_the_webhooks_shows_each_event_with_its_example():
    text = PAGE.read_text("utf-8")
    shown = re.findall(r"^### `([\w.]+)`\n\nWhen (.+?)\.\n\n```json\n(.*?)\n```$", text, re.DOTALL | re.MULTILINE)
    assert [(name, when, json.loads(data)) for name, when, data in shown] == [
        (kind.name, str(kind.when), dict(kind.example)) for kind in EVENT_TYPES
    ]
