"""The pages of the playbook."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from talkworthy.routing.forms.playbooks import editor_of, read, written
from talkworthy.routing.models import Playbook
from talkworthy.routing.playbook import default_tree
from talkworthy.workspaces.models import Member, User, Workspace

PAGE = "/acme/routing/playbook/"


@pytest.fixture
def lead(workspace: Workspace, bob: User) -> User:
    """Bob, who leads agents here."""
    Member.objects.filter(user=bob).update(role="lead")
    return bob


def fields_of(tree: dict[str, Any]) -> dict[str, Any]:
    """What a browser sends when the editor of a tree is saved as it stands."""
    editor = editor_of(tree)
    data: dict[str, Any] = {"start": editor.start, "nodes": [], "beside": [], "note": "", "seen": "1"}
    for card in editor.nodes:
        data[card.kind].append(card.name)
        for name in ("question", "ask", "otherwise", "minutes"):
            data[f"{card.prefix}-{name}"] = getattr(card, name)
        data[f"{card.prefix}-answer"] = [row.name for row in card.answers]
        for name in ("label", "to", "when"):
            data[f"{card.prefix}-{name}"] = [getattr(row, name) for row in card.answers]
    data["outcome-name"] = [row.name for row in editor.outcomes]
    data["outcome-key"] = [row.name or "new" for row in editor.outcomes]
    data["outcome-skills"] = [row.skills for row in editor.outcomes]
    data["outcome-title"] = [row.title for row in editor.outcomes]
    data["outcome-autonomy"] = [row.autonomy for row in editor.outcomes]
    for row in editor.outcomes:
        data |= {
            f"{name}-{row.name}": "on" for name in ("opens", "answers", "waits") if row.name and getattr(row, name)
        }
    data["priority"] = [row.priority for row in editor.priorities]
    data["priority-outcomes"] = [row.outcomes for row in editor.priorities]
    data["priority-when"] = [row.when for row in editor.priorities]
    return data


def test_the_page_shows_the_tree_in_few_statements(
    playbook: Playbook, carol: User, client_of: Callable[[User], Client], django_assert_max_num_queries: Any
) -> None:
    client = client_of(carol)
    with django_assert_max_num_queries(12):
        answer = client.get(PAGE)
    assert answer.status_code == 200
    assert "Is what it says true?" in answer.content.decode()
    assert "routing/playbook/1/edit/" not in answer.content.decode()


def test_words_can_be_tried(playbook: Playbook, carol: User, client_of: Callable[[User], Client]) -> None:
    answer = client_of(carol).get(PAGE, {"text": "My phone caught fire and burned my hand", "about": "us"})
    page = answer.content.decode()
    assert "Escalate as a crisis" in page
    assert "It holds words of alarm" in page


def test_who_may_only_read_cannot_write_a_version(
    playbook: Playbook, carol: User, client_of: Callable[[User], Client]
) -> None:
    client = client_of(carol)
    assert client.get(f"{PAGE}1/edit/").status_code == 403
    assert client.post(f"{PAGE}1/edit/", fields_of(default_tree())).status_code == 403
    assert client.post(f"{PAGE}1/activate/").status_code == 403
    assert playbook.versions.count() == 1


def test_a_stranger_sees_nothing(playbook: Playbook, dan: User, client_of: Callable[[User], Client]) -> None:
    assert client_of(dan).get(PAGE).status_code == 404


def test_what_the_editor_shows_is_what_it_saves(
    playbook: Playbook, lead: User, client_of: Callable[[User], Client]
) -> None:
    tree = default_tree()
    tree["nodes"]["Q4"]["answers"]["false"]["when"] = "sells NEAR/3 data"
    tree["outcomes"]["support"]["skills"] = ["routers", "law"]
    answer = client_of(lead).post(f"{PAGE}1/edit/", fields_of(tree))
    assert answer.status_code == 302
    assert playbook.versions.get(version=2).tree == read(written(tree))


def test_a_fault_is_shown_and_nothing_is_lost(
    playbook: Playbook, lead: User, client_of: Callable[[User], Client]
) -> None:
    data = fields_of(default_tree()) | {"nodes-Q1-question": "", "note": "my reason"}
    answer = client_of(lead).post(f"{PAGE}1/edit/", data)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "needs a question" in page
    assert "my reason" in page
    assert playbook.versions.count() == 1


def test_a_question_can_be_added_before_anything_is_saved(
    playbook: Playbook, lead: User, client_of: Callable[[User], Client]
) -> None:
    data = fields_of(default_tree()) | {"more": "1", "new-node": "Q10", "new-question": "Is it a press enquiry?"}
    page = client_of(lead).post(f"{PAGE}1/edit/", data).content.decode()
    assert "Is it a press enquiry?" in page
    assert playbook.versions.count() == 1


@pytest.mark.parametrize(
    "text", ["", "- a list", "nodes: [", "a: &a [*a]", "x" * 200_001, "!!python/object:os.system {}"]
)
def test_text_that_is_no_tree_is_refused_with_its_reason(
    playbook: Playbook, lead: User, client_of: Callable[[User], Client], text: str
) -> None:
    answer = client_of(lead).post(f"{PAGE}1/edit/?as=text", {"yaml": text, "seen": "1"})
    assert answer.status_code == 422
    assert playbook.versions.count() == 1


def test_switching_on_is_one_click(playbook: Playbook, lead: User, client_of: Callable[[User], Client]) -> None:
    client = client_of(lead)
    client.post(f"{PAGE}1/edit/", fields_of(default_tree() | {"start": "Q2"}) | {"nodes-Q1-away": "on"})
    client.post(f"{PAGE}2/activate/")
    playbook.refresh_from_db()
    assert playbook.active is not None
    assert playbook.active.version == 2


LAUGHS = "\n".join(["a0: &a0 [ha]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))])
HOSTILE = {
    "references that multiply": LAUGHS,
    "a reference to itself": "more: &n {again: *n}",
    "too deep": f"more: {'[' * 20_000}",
    "a day that is none": "more: 2026-13-45",
    "a day": "more: 2026-01-01",
    "no number": "more: .nan",
    "a number of many digits": f"more: {'9' * 10_000}",
    "bytes": "more: !!binary aGVsbG8=",
    "numbers as names": "outcomes: {1: {title: One}}",
    "no list of classes": "priorities: 7",
    "no list of outcomes": "priorities: [{priority: low, outcomes: 7}, {priority: low, outcomes: [{a: b}]}]",
}


@pytest.mark.parametrize("more", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_playbook_with_something_hostile_in_its_text_is_refused_with_its_reason(
    playbook: Playbook, lead: User, client_of: Callable[[User], Client], more: str
) -> None:
    text = f"{written(default_tree())}\n{more}\n"
    answer = client_of(lead).post(f"{PAGE}1/edit/?as=text", {"yaml": text, "seen": "1"})
    assert answer.status_code == 422
    assert playbook.versions.count() == 1
