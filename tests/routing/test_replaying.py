"""A replay says what would have become of stored mentions, and what differs from what happened."""

from datetime import timedelta

import pytest
from django.utils import timezone
from tests.conftest import NOW
from tests.routing.test_arriving import arrive, frank, look, post, rule, team  # noqa: F401 - fixtures

from talkworthy.listening.collecting import Listener
from talkworthy.listening.jobs import _without, claim_this, run_job
from talkworthy.listening.models import Job
from talkworthy.people.models import Identity
from talkworthy.routing import joining
from talkworthy.routing.actions.opening import override_node
from talkworthy.routing.actions.playbooks import playbook_of
from talkworthy.routing.models import Case, Decision, Rule, Target
from talkworthy.routing.replaying import replay
from talkworthy.routing.views import replays
from talkworthy.workspaces.models import Member, Workspace

pytestmark = pytest.mark.django_db


def replayed(workspace, *rules, now=NOW):
    told, kept = [], []
    found = replay(
        workspace,
        rules=rules or list(Rule.objects.filter(workspace=workspace, enabled=True)),
        version=playbook_of(workspace, now=now).active,
        since=NOW - timedelta(days=2),
        until=NOW + timedelta(seconds=1),
        progress=lambda done, total: told.append((done, total)),
        keep=kept.extend,
        now=now,
    )
    assert [row.place for row in kept] == list(range(1, found["different"] + 1))
    found["differences"] = [{"uid": row.uid, "id": row.post, "was": row.was, "would": row.would} for row in kept]
    assert not told or told[-1][0] == told[-1][1] == found["mentions"]
    return found


@pytest.fixture
def routed(filled, rule):  # noqa: F811
    """What arrived was routed live: by a rule that opens, and by one that asks the playbook."""
    Rule.objects.create(
        workspace=filled,
        name="Help",
        condition="crashes OR kaufen",
        effects=[{"do": "triage"}],
        enabled=True,
        position=5,
    )
    arrive(filled, post(1), post(2, "Acme is fine"), post(3, "same here, my Acme router", in_reply_to=post(1)["uid"]))
    look()
    return filled


def test_a_replay_of_what_was_just_routed_shows_no_difference(routed):
    found = replayed(routed)
    assert (found["different"], found["differences"]) == (0, [])
    assert found["held"] == Decision.objects.count() == 6
    assert found["cases"] == found["were"] == Case.objects.count()


def test_what_a_person_answered_otherwise_is_exactly_what_differs(routed, alice):
    decision = Decision.objects.exclude(path=[]).first()
    step = decision.path[0]
    answers = decision.playbook.tree["nodes"][step["node"]]["answers"]
    other = next(name for name in answers if name != step["answer"])
    override_node(decision, node=step["node"], answer=other, by=alice, now=NOW)
    decision.refresh_from_db()
    found = replayed(routed)
    assert [row["uid"] for row in found["differences"]] == [decision.uid]
    assert found["different"] == 1


def test_a_changed_rule_shows_exactly_the_mentions_that_it_changes(routed, rule):  # noqa: F811
    draft = Rule(pk=-rule.pk, name="Draft", condition="router -same", effects=rule.effects, stops=False)
    found = replayed(routed, draft, Rule.objects.get(name="Help"))
    assert [(row["uid"], row["would"]) for row in found["differences"]] == [(post(3)["uid"], None)]
    assert found["differences"][0]["was"]["opens"]
    assert found["cases"] == replayed(routed)["cases"]


def test_a_draft_says_how_much_more_each_team_would_get(routed, team):  # noqa: F811
    effects = [{"do": "open_case"}, {"do": "assign_team", "team": team.pk}, {"do": "priority", "priority": "risk"}]
    found = replayed(routed, Rule(pk=-1, name="All", condition="acme", effects=effects))
    [load] = [row for row in found["teams"] if row["name"] == str(team.pk)]
    assert (load["title"], load["cases"], load["was"]) == ("Support", found["cases"], 1)
    assert load["more_a_day"] > 0 and len(load["posts"]) == found["cases"]
    assert [(row["name"], row["cases"]) for row in found["priorities"]] == [("risk", found["cases"])]


def test_deadlines_are_judged_by_what_was_really_answered(routed):
    Target.objects.create(workspace=routed, priority="service", first_answer=60, around_the_clock=True)
    later = NOW + timedelta(hours=3)
    case = Decision.objects.get(uid=post(1)["uid"]).case
    assert replayed(routed, Rule.objects.get(name="Router"), now=later)["missed"] == 1
    Case.objects.filter(pk=case.pk).update(first_answered_at=NOW + timedelta(minutes=10))
    found = replayed(routed, Rule.objects.get(name="Router"), now=later)
    assert (found["due"], found["judged"], found["missed"]) == (1, 1, 0)


def test_what_we_and_programs_wrote_opens_nothing(routed):
    Identity.objects.filter(account="zoe").update(is_ours=True)
    assert replayed(routed, Rule.objects.get(name="Router"))["cases"] == 0


def test_a_rule_that_cannot_be_followed_is_left_out_and_counted(routed):
    found = replayed(routed, Rule(pk=-1, name="Odd", condition="(", effects=[{"do": "triage"}]))
    assert (found["left_out"], found["held"]) == (1, 0)


PAGE = "/acme/routing/"


@pytest.fixture
def lead(workspace, bob):
    """Bob, who leads agents here."""
    Member.objects.filter(user=bob).update(role="lead")
    return bob


def ended(workspace):
    """The replay, done by the worker's own function."""
    job = claim_this(Job.objects.get(kind="replay"), now=timezone.now())
    run_job(job, Listener(workspace))
    job.refresh_from_db()
    return job


def test_a_draft_is_tried_from_the_editor_and_its_result_is_a_page(client_of, routed, lead, team):  # noqa: F811
    client = client_of(lead)
    draft = {"name": "All", "condition": "acme", "do": ["open_case", "assign_team"], "to": ["", f"team:{team.pk}"]}
    page = client.post(f"{PAGE}rules/replay/", {**draft, "span": "30d"}, follow=True)
    assert "Waiting for its turn" in page.content.decode()
    job = ended(routed)
    assert (job.state, job.error) == ("done", "")
    assert [row["pk"] < 0 for row in job.request["rules"]] == [False, False, True]
    said = client.get(f"{PAGE}replays/{job.pk}/").content.decode()
    assert "Support" in said and f"/listen/post/{job.replay_differences.first().post_id}/" in said
    assert Rule.objects.filter(name="All").count() == 0


def test_a_draft_that_is_wrong_goes_back_to_the_editor(client_of, routed, lead):
    answer = client_of(lead).post(f"{PAGE}rules/replay/", {"name": "All", "condition": "(", "do": ["open_case"]})
    assert answer.status_code == 422 and not Job.objects.filter(kind="replay").exists()


def test_a_rule_and_a_version_are_tried_as_they_stand(client_of, routed, rule, lead):  # noqa: F811
    client = client_of(lead)
    client.post(f"{PAGE}rules/{rule.pk}/replay/")
    client.post(f"{PAGE}playbook/1/replay/")
    jobs = Job.objects.filter(kind="replay")
    assert [len(job.request["rules"]) for job in jobs] == [2, 2]
    assert {job.request["playbook"] for job in jobs} == {playbook_of(routed, now=NOW).active_id}


def test_a_replay_says_of_which_days_it_is_and_is_stopped_by_who_may_start_it(client_of, routed, lead, carol):
    client = client_of(lead)
    client.post(f"{PAGE}playbook/1/replay/", {"span": "7d"})
    job = Job.objects.get(kind="replay")
    words = client.get(f"{PAGE}replays/{job.pk}/").content.decode()
    assert "Mentions from" in words and f"replays/{job.pk}/stop/" in words
    assert client_of(carol).post(f"{PAGE}replays/{job.pk}/stop/").status_code == 403
    assert client.post(f"{PAGE}replays/{job.pk}/stop/").status_code == 302
    job.refresh_from_db()
    assert job.state == "stopped" and "It was stopped" in client.get(f"{PAGE}replays/{job.pk}/").content.decode()


@pytest.mark.parametrize("page", ["rules/replay/", "rules/{rule}/replay/", "playbook/1/replay/"])
def test_whoever_may_not_edit_routing_starts_no_replay(client_of, routed, rule, carol, page):  # noqa: F811
    assert client_of(carol).post(PAGE + page.format(rule=rule.pk)).status_code == 403
    assert not Job.objects.filter(kind="replay").exists()


def test_a_replay_of_another_workspace_is_not_there(client_of, routed, lead, carol):
    Member.objects.create(workspace=Workspace.objects.get(slug="elsewhere"), user=carol, role="administrator")
    client_of(lead).post(f"{PAGE}playbook/1/replay/")
    number = Job.objects.get(kind="replay").pk
    assert client_of(carol).get(f"/elsewhere/routing/replays/{number}/").status_code == 404


def test_differences_of_any_number_are_read_page_by_page(client_of, routed, lead, monkeypatch):
    monkeypatch.setattr(replays, "ON_A_PAGE", 2)
    client = client_of(lead)
    client.post(f"{PAGE}rules/replay/", {"name": "None", "condition": "nothingatall", "do": ["open_case"]})
    asked = Job.objects.get(kind="replay")
    Job.objects.filter(pk=asked.pk).update(request={**asked.request, "rules": []})
    job = ended(routed)
    uids = list(job.replay_differences.values_list("uid", flat=True))
    assert len(uids) == job.result["different"] == 6
    first = client.get(f"{PAGE}replays/{job.pk}/").content.decode()
    assert uids[1] in first and uids[2] not in first and "1 to 2 of 6" in first and "after=2#" in first
    last = client.get(f"{PAGE}replays/{job.pk}/?after=4").content.decode()
    assert uids[5] in last and uids[3] not in last and "5 to 6 of 6" in last and "after=2#" in last
    joining.data_forgotten(workspace=routed, uids=uids[:5], authors=(), now=NOW)
    assert list(job.replay_differences.values_list("uid", flat=True)) == uids[5:]


def test_a_replay_that_is_begun_again_keeps_no_difference_twice(client_of, routed, lead):
    client_of(lead).post(f"{PAGE}rules/replay/", {"name": "None", "condition": "nothingatall", "do": ["open_case"]})
    asked = Job.objects.get(kind="replay")
    Job.objects.filter(pk=asked.pk).update(request={**asked.request, "rules": []})
    job = ended(routed)
    before = job.replay_differences.count()
    Job.objects.filter(pk=job.pk).update(state="waiting")
    assert ended(routed).replay_differences.count() == before > 0


def test_who_is_erased_stands_in_no_result():
    held = {"differences": [{"uid": "a", "id": 1}, {"uid": "b", "id": 2}], "teams": [{"posts": [{"uid": "a"}]}]}
    assert _without(held, {"a"}) == {"differences": [{"uid": "b", "id": 2}], "teams": [{"posts": []}]}
