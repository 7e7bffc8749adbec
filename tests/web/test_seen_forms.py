"""Two people have the same form open: whoever saves second is told what the first has saved, and overwrites nothing."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from talkworthy.ecosystem.models import Promise, Touchpoint
from talkworthy.listening.models import Monitor
from talkworthy.notifying.models import Endpoint
from talkworthy.people.actions import create_person
from talkworthy.people.models import CrmAccount, Organisation, Segment
from talkworthy.responding.models import ApprovalRule, Autonomy, Drafter, Manner, Snippet, SnippetText
from talkworthy.routing.models import Target, WorkingHours
from talkworthy.workspaces.models import Team, Workspace
from talkworthy.workspaces.seen import print_of

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
BASIS = {"basis": "interest", "basis_note": "They wrote."}


def person_of(workspace: Workspace, by: Any) -> Any:
    return create_person(
        workspace, name="Ann", retain_until=datetime.now(UTC) + timedelta(days=90), by=by, now=NOW, **BASIS
    )


def touchpoint_of(workspace: Workspace) -> Touchpoint:
    return Touchpoint.objects.create(workspace=workspace, name="Shop", slug="shop", kind="product", query="shop")


Made = Callable[[Workspace, Any], tuple[Any, str]]
FORMS: dict[str, tuple[Made, str, dict[str, Any]]] = {
    "workspace": (lambda w, by: (w, "settings/"), "name", {"timezone": "UTC", "retention_days": "", "allow_hosts": ""}),
    "touchpoint": (
        lambda w, by: ((t := touchpoint_of(w)), f"touchpoints/{t.pk}/edit/"),
        "about",
        {"name": "Shop", "kind": "product", "colour": "teal", "query": "shop"},
    ),
    "promise": (
        lambda w, by: (
            (
                p := Promise.objects.create(
                    workspace=w, touchpoint=touchpoint_of(w), words="Soon", made_in="x", valid_from=date(2026, 1, 1)
                )
            ),
            f"touchpoints/promises/{p.pk}/",
        ),
        "words",
        {"made_in": "x", "valid_from": "2026-01-01"},
    ),
    "person": (
        lambda w, by: ((p := person_of(w, by)), f"people/{p.pk}/change/"),
        "note",
        {"name": "Ann", "notice": "due", "retention": "ask", "retain_until": "2099-01-01", **BASIS},
    ),
    "organisation": (
        lambda w, by: (
            (o := Organisation.objects.create(workspace=w, name="Acme", folded="acme")),
            f"people/organisations/{o.pk}/",
        ),
        "note",
        {"name": "Acme"},
    ),
    "segment": (
        lambda w, by: (
            (s := Segment.objects.create(workspace=w, name="Press", slug="press", query="role:press")),
            f"people/segments/{s.pk}/",
        ),
        "name",
        {"query": "role:press"},
    ),
    "crm": (
        lambda w, by: (
            (
                c := CrmAccount.objects.create(
                    workspace=w, name="CRM", url="http://192.0.2.1:1", database="d", user="u", **BASIS
                )
            ),
            f"people/crm/{c.pk}/change/",
        ),
        "basis_note",
        {"name": "CRM", "url": "http://192.0.2.1:1", "database": "d", "user": "u", "basis": "interest",
         "retention_days": "9", "every_hours": "1"},
    ),
    "endpoint": (
        lambda w, by: (
            (e := Endpoint.objects.create(workspace=w, name="Hook", url="https://hook.example/")),
            f"settings/webhooks/{e.pk}/",
        ),
        "name",
        {"url": "https://hook.example/", "enabled": "on"},
    ),
    "approval rule": (
        lambda w, by: (
            (r := ApprovalRule.objects.create(workspace=w, name="All")),
            f"settings/replies/approval/{r.pk}/",
        ),
        "name",
        {"count": "1", "enabled": "on"},
    ),
    "drafter": (
        lambda w, by: (
            Drafter.objects.create(workspace=w, url="https://model.example/v1", model="m"),
            "settings/replies/drafter/",
        ),
        "instructions",
        {"url": "https://model.example/v1", "model": "m"},
    ),
    "manner": (
        lambda w, by: (Manner.objects.create(workspace=w), "settings/replies/manner/"),
        "guidance",
        {"send_delay_seconds": "10"},
    ),
    "snippet": (
        lambda w, by: (
            (s := Snippet.objects.create(workspace=w, name="Thanks", shortcut="thanks")),
            f"replies/snippets/{s.pk}/",
        ),
        "name",
        {"shortcut": "thanks", "language": "en", "text": "Thank you"},
    ),
    "team": (
        lambda w, by: (
            (t := Team.objects.create(workspace=w, name="Support", slug="support")),
            f"settings/teams/{t.pk}/",
        ),
        "about",
        {"name": "Support", "colour": "slate"},
    ),
    "monitor": (
        lambda w, by: (
            (m := Monitor.objects.create(workspace=w, name="Acme", kind="brand", query="acme")),
            f"monitors/{m.pk}/edit/",
        ),
        "name",
        {"kind": "brand", "colour": "blue", "query": "acme"},
    ),
    "hours": (
        lambda w, by: ((h := WorkingHours.objects.create(workspace=w, name="Days")), f"settings/hours/{h.pk}/"),
        "name",
        {"timezone": "UTC", "day_0": "09:00-17:00"},
    ),
}  # fmt: skip


def seen_on(page: Any) -> str:
    found = re.search(r'name="seen" value="(\w{16})"', page.content.decode())
    assert found is not None
    return found[1]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_who_saves_second_is_told_and_overwrites_nothing(
    form: Any, workspace: Workspace, alice: Any, client_of: Any
) -> None:
    made, field, rest = form
    thing, path = made(workspace, alice)
    client, address = client_of(alice), f"/acme/{path}"
    shown = seen_on(client.get(address))
    type(thing).objects.filter(pk=thing.pk).update(**{field: "The first words"})
    answer = client.post(address, {**rest, field: "The second words", "seen": shown})
    assert answer.status_code == 422
    assert "nothing was overwritten" in answer.content.decode() and "The first words" in answer.content.decode()
    thing.refresh_from_db()
    assert getattr(thing, field) == "The first words"
    again = client.post(address, {**rest, field: "The second words", "seen": seen_on(answer)})
    assert again.status_code == 302, "who has seen it may put theirs in its place"
    thing.refresh_from_db()
    assert getattr(thing, field) == "The second words"


def test_a_draft_remembers_over_a_backtest_what_it_was_begun_over(
    workspace: Workspace, alice: Any, client_of: Any
) -> None:
    monitor = Monitor.objects.create(workspace=workspace, name="Acme", kind="brand", query="acme")
    client, address = client_of(alice), f"/acme/monitors/{monitor.pk}/edit/"
    shown = seen_on(client.get(address))
    draft = {"name": "Acme", "kind": "brand", "colour": "blue", "query": "acme OR acne", "seen": shown}
    tested = client.post("/acme/monitors/backtest/", {**draft, "monitor": monitor.pk})
    monitor.query = "acme AND router"
    monitor.save()
    back = re.search(r'href="(/acme/monitors/\d+/edit/\?[^"]*)"', client.get(tested["Location"]).content.decode())
    assert back is not None
    assert seen_on(client.get(back[1].replace("&amp;", "&"))) == shown
    answer = client.post(address, draft)
    assert answer.status_code == 422 and "acme AND router" in answer.content.decode()


def test_the_order_in_which_rows_come_is_no_difference() -> None:
    assert print_of({"members": [7, 12]}) == print_of({"members": [12, 7]}) != print_of({"members": [7]})


def test_texts_of_a_snippet_are_seen_too(workspace: Workspace, alice: Any, client_of: Any) -> None:
    snippet = Snippet.objects.create(workspace=workspace, name="Thanks", shortcut="thanks")
    SnippetText.objects.create(snippet=snippet, language="en", text="Thank you")
    client, address = client_of(alice), f"/acme/replies/snippets/{snippet.pk}/"
    told = {
        "name": "Thanks",
        "shortcut": "thanks",
        "language": "en",
        "text": "Mine",
        "seen": seen_on(client.get(address)),
    }
    snippet.texts.update(text="Theirs")
    answer = client.post(address, told)
    assert answer.status_code == 422 and "Theirs" in answer.content.decode()
    assert snippet.texts.get().text == "Theirs"


def test_a_line_of_the_table_of_machines_that_was_not_touched_keeps_what_others_set(
    workspace: Workspace, alice: Any, client_of: Any
) -> None:
    client, address = client_of(alice), "/acme/settings/replies/"
    Autonomy.objects.create(workspace=workspace, outcome="thank", level="send")
    page = client.get(address).content.decode()
    names = re.findall(r'name="seen-(\w+)" value="(\w+)"', page)
    numbers = re.findall(r'name="((?:delay_seconds|cap_\w+)-\w+)" value="(\d+)"', page)
    told = dict(numbers) | {f"seen-{name}": value for name, value in names}
    told |= {f"level-{name}": level_on(page, name) for name, _seen in names}
    other = next(name for name, _seen in names if name != "thank" and told[f"level-{name}"] != "observe")
    Autonomy.objects.filter(outcome="thank").update(level="observe")
    client.post(address, {**told, f"level-{other}": "observe"})
    assert dict(Autonomy.objects.values_list("outcome", "level")) == {"thank": "observe", other: "observe"}
    answer = client.post(address, {**told, "level-thank": "suggest"})
    assert answer.status_code == 422 and "somebody else changed it" in answer.content.decode()
    assert dict(Autonomy.objects.values_list("outcome", "level")) == {"thank": "observe", other: "observe"}
    assert level_on(answer.content.decode(), other) == "observe", "what was not touched says what holds now"


def test_targets_that_somebody_else_set_meanwhile_stay(workspace: Workspace, alice: Any, client_of: Any) -> None:
    client, address = client_of(alice), "/acme/settings/targets/"
    shown = seen_on(client.get(address))
    Target.objects.create(workspace=workspace, priority="risk", first_answer=15)
    answer = client.post(address, {"risk-first_answer": "240", "seen": shown})
    assert answer.status_code == 422 and "“15”" in answer.content.decode()
    assert Target.objects.get().first_answer == 15


def level_on(page: str, outcome: str) -> str:
    part = page.partition(f'name="level-{outcome}"')[2].partition("</select>")[0]
    found = re.search(r'value="(\w+)" selected', part)
    assert found is not None
    return found[1]
