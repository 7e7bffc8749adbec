"""The pages of people: what they show, to whom, and how much they ask of the desk."""

import io
import json
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from talkworthy.people import actions
from talkworthy.people.models import Consent, Identity, LinkSuggestion, NeverMerge, Organisation, Person, Segment
from talkworthy.workspaces.models import Member

BASIS = {"basis": "interest", "basis_note": "They asked us", "retain_until": "2099-01-01", "retention": "ask"}
READ = (
    "people/", "people/?q=role:customer", "people/?q=(", "people/accounts/", "people/organisations/",
    "people/segments/", "people/links/", "people/links/?state=apart", "people/links/?state=denied",
    "people/exchange/", "people/crm/",
)  # fmt: skip


@pytest.fixture
def agent(workspace: Any) -> Any:
    """Edith works on cases: she may edit people, and not export nor erase them."""
    from talkworthy.workspaces.models import User

    edith = User.objects.create_user("edith@example.org", "correct horse battery", name="Edith")
    Member.objects.create(workspace=workspace, user=edith, role="agent")
    return edith


def test_who_may_not_read_people_sees_no_page_of_them_and_no_stop(client_of: Any, carol: Any, person: Any) -> None:
    ann = person("Ann")
    client = client_of(carol)
    for address in (*READ, f"people/{ann.pk}/", "people/export/csv/"):
        assert client.get(f"/acme/{address}").status_code == 403, address
    assert "/acme/people/" not in client.get("/acme/monitors/").text


def test_a_stranger_finds_nobody(client_of: Any, dan: Any, person: Any) -> None:
    ann = person("Ann")
    assert client_of(dan).get(f"/acme/people/{ann.pk}/").status_code == 404
    assert client_of(dan).get(f"/elsewhere/people/{ann.pk}/").status_code == 404
    assert client_of(dan).post(f"/elsewhere/people/{ann.pk}/split/").status_code == 404


def test_who_only_reads_changes_nothing(client_of: Any, bob: Any, person: Any, workspace: Any) -> None:
    ann, bea = person("Ann"), person("Bea")
    suggestion = LinkSuggestion.objects.create(
        workspace=workspace, left=f"person:{ann.pk}", right=f"person:{bea.pk}", probability=0.9, model="m"
    )
    client = client_of(bob)
    for address in (
        f"people/{ann.pk}/change/", f"people/{ann.pk}/remove/", f"people/{ann.pk}/learn/", f"people/{ann.pk}/merge/",
        f"people/links/{suggestion.pk}/confirm/", f"people/links/{suggestion.pk}/deny/", "people/links/find/",
        "people/new/", "people/segments/new/", "people/exchange/upload/", "people/crm/new/",
        f"people/{ann.pk}/erase/",
    ):  # fmt: skip
        assert client.post(f"/acme/{address}", {"with": bea.pk}).status_code == 403, address
    assert Person.objects.filter(deleted_at=None, merged_into=None).count() == 2


def test_an_agent_neither_exports_nor_erases(client_of: Any, agent: Any, person: Any) -> None:
    ann = person("Ann")
    client = client_of(agent)
    assert client.get(f"/acme/people/{ann.pk}/").status_code == 200
    for address in (f"people/{ann.pk}/export/", f"people/{ann.pk}/erase/"):
        assert client.post(f"/acme/{address}").status_code == 403
    assert client.get("/acme/people/export/csv/").status_code == 403


def test_every_page_opens_empty_and_filled(client_of: Any, alice: Any, person: Any, account: Any, now: Any) -> None:
    client = client_of(alice)
    for address in READ:
        assert client.get(f"/acme/{address}").status_code == (422 if address.endswith("(") else 200), address
    ann = person("Ann", account("a1", handle="ann"), organisation="Acme", email="ann@example.org")
    actions.merge_persons(person("Anna", birthday="1980-01-01"), ann, by=alice, now=now)
    bare = account("b1", handle="bare")
    group = Organisation.objects.get()
    for address in (
        *READ, f"people/{ann.pk}/", f"people/{ann.pk}/change/", f"people/{ann.pk}/merge/?q=a", "people/new/",
        f"people/accounts/{bare.pk}/?q=ann", f"people/organisations/{group.pk}/", "people/segments/new/",
        f"people/new/?identity={bare.pk}", f"people/{ann.pk}/erase/", "people/crm/new/",
    ):  # fmt: skip
        assert client.get(f"/acme/{address}").status_code == (422 if address.endswith("(") else 200), address


def test_the_list_asks_the_desk_as_often_for_forty_as_for_four(
    client_of: Any, alice: Any, person: Any, account: Any
) -> None:
    client = client_of(alice)

    def asked() -> int:
        with CaptureQueriesContext(connection) as found:
            assert client.get("/acme/people/").status_code == 200
        return len(found)

    for number in range(4):
        person(f"Person {number}", account(f"a{number}"), organisation="Acme")
    asked()  # the first visit notes that somebody is here
    few = asked()
    for number in range(4, 30):
        person(f"Person {number}", account(f"a{number}"), organisation="Acme")
    assert asked() == few <= 14


def test_the_list_goes_on_where_a_page_ends(client_of: Any, alice: Any, workspace: Any, now: Any) -> None:
    for number in range(60):
        Person.objects.create(
            workspace=workspace, name=f"P{number:02}", basis="interest", basis_note="x", retain_until=now
        )
    client = client_of(alice)
    first = client.get("/acme/people/").text
    last = Person.objects.get(name="P49")
    assert "P49" in first and "P50" not in first and f"after={last.pk}" in first
    second = client.get(f"/acme/people/?after={last.pk}").text
    assert "P50" in second and "P59" in second and "P49" not in second


def test_a_person_is_added_for_an_account_and_taken_back(client_of: Any, agent: Any, account: Any) -> None:
    it, client = account("a1", name="Ann"), client_of(agent)
    sent = {**BASIS, "name": "Ann", "organisation": "Acme", "notice": "due", "note": ""}
    answer = client.post(f"/acme/people/new/?identity={it.pk}", sent, follow=True)
    ann = Person.objects.get()
    assert "Ann" in answer.text and ann.identities.get() == it and ann.organisation.name == "Acme"
    client.post(f"/acme/people/{ann.pk}/remove/")
    assert client.get(f"/acme/people/{ann.pk}/").status_code == 404
    client.post(f"/acme/people/{ann.pk}/restore/")
    assert client.get(f"/acme/people/{ann.pk}/").status_code == 200


def test_a_record_without_what_it_rests_on_is_not_saved(client_of: Any, agent: Any) -> None:
    answer = client_of(agent).post("/acme/people/new/", {**BASIS, "basis_note": "", "name": "Ann", "notice": "due"})
    assert answer.status_code == 422 and Person.objects.count() == 0


def test_what_is_known_is_added_and_taken_away_on_the_page(client_of: Any, agent: Any, person: Any) -> None:
    ann, client = person("Ann"), client_of(agent)
    client.post(f"/acme/people/{ann.pk}/learn/", {"name": "City", "value": "<b>Bonn</b>"})
    page = client.get(f"/acme/people/{ann.pk}/").text
    assert "&lt;b&gt;Bonn" in page and "<b>Bonn" not in page
    client.post(f"/acme/people/{ann.pk}/unlearn/", {"name": "city", "value": "<b>Bonn</b>"})
    assert ann.attributes.count() == 0 and ann.changes.filter(what="unlearn").exists()
    assert client.post(f"/acme/people/{ann.pk}/learn/", {"name": "", "value": "x"}).status_code == 422


def test_roles_and_consent_are_written_down_with_who_says_so(client_of: Any, agent: Any, person: Any) -> None:
    ann, client = person("Ann"), client_of(agent)
    client.post(f"/acme/people/{ann.pk}/roles/", {"role": "press", "source": "their card", "since": "2020-01-01"})
    role = ann.roles.get()
    client.post(f"/acme/people/{ann.pk}/roles/{role.pk}/end/")
    assert ann.roles.get().until is not None
    client.post(f"/acme/people/{ann.pk}/consent/", {"purpose": "news", "given": "yes", "proof": "form 12"})
    assert Consent.objects.get().given is True
    assert client.post(f"/acme/people/{ann.pk}/consent/", {"purpose": "news", "given": "no"}).status_code == 422
    client.post(f"/acme/people/{ann.pk}/told/")
    assert Person.objects.get(pk=ann.pk).notice == "told"


def test_two_are_merged_and_split_on_the_page(client_of: Any, agent: Any, person: Any, account: Any) -> None:
    ann, anna = person("Ann", email="a@x.org"), person("Anna", account("b1", handle="annab"), email="b@x.org")
    client = client_of(agent)
    preview = client.get(f"/acme/people/{ann.pk}/merge/?with={anna.pk}").text
    assert "a@x.org" in preview and "b@x.org" in preview
    page = client.post(f"/acme/people/{ann.pk}/merge/", {"with": anna.pk, "why": "Same card"}, follow=True).text
    assert "b@x.org" in page and "annab" in page
    assert client.get(f"/acme/people/{anna.pk}/").headers["Location"] == f"/acme/people/{ann.pk}/"
    client.post(f"/acme/people/{anna.pk}/split/", {"never": "yes"})
    assert "b@x.org" not in client.get(f"/acme/people/{ann.pk}/").text and NeverMerge.objects.count() == 1


def test_a_suggestion_shows_its_evidence_and_is_denied_and_reopened(
    client_of: Any, agent: Any, person: Any, workspace: Any
) -> None:
    ann, bea = person("Ann"), person("Bea")
    evidence = [{"field": "email", "left": "a@x.org", "right": "a@x.org", "level": "same", "bits": 11.3}]
    row = LinkSuggestion.objects.create(
        workspace=workspace,
        left=f"person:{ann.pk}",
        right=f"person:{bea.pk}",
        probability=0.97,
        evidence=evidence,
        model="m",
    )
    client = client_of(agent)
    page = client.get("/acme/people/links/").text
    assert "+11.3" in page and "97.0" in page and "a@x.org" in page
    client.post(f"/acme/people/links/{row.pk}/deny/")
    assert NeverMerge.objects.count() == 1 and "Ann" in client.get("/acme/people/links/?state=apart").text
    client.post(f"/acme/people/links/{row.pk}/reopen/")
    client.post(f"/acme/people/links/{row.pk}/confirm/")
    assert Person.objects.get(pk=bea.pk).root == ann


def test_two_bare_accounts_are_made_one_with_a_basis(client_of: Any, agent: Any, account: Any, workspace: Any) -> None:
    one, two = account("a1", handle="nata"), account("b1", "bluesky", handle="nata")
    row = LinkSuggestion.objects.create(
        workspace=workspace, left=f"identity:{one.pk}", right=f"identity:{two.pk}", probability=0.9, model="m"
    )
    client = client_of(agent)
    client.post(f"/acme/people/links/{row.pk}/confirm/")
    assert Person.objects.count() == 0
    client.post(f"/acme/people/links/{row.pk}/confirm/", BASIS)
    assert Person.objects.get().identities.count() == 2


def test_a_segment_is_kept_changed_and_deleted(client_of: Any, agent: Any, person: Any) -> None:
    person("Ann", email="a@x.org")
    client = client_of(agent)
    assert client.post("/acme/people/segments/new/", {"name": "X", "query": "role:villain"}).status_code == 422
    client.post("/acme/people/segments/new/", {"name": "With mail", "query": "has:email"})
    segment = Segment.objects.get()
    assert "segment:with-mail" in client.get("/acme/people/segments/").text
    assert "Ann" in client.get("/acme/people/?q=segment:with-mail").text
    client.post(f"/acme/people/segments/{segment.pk}/", {"name": "With mail", "query": "NOT has:email"})
    assert "Ann" not in client.get("/acme/people/?q=segment:with-mail").text
    client.post(f"/acme/people/segments/{segment.pk}/delete/")
    assert client.get("/acme/people/?q=segment:with-mail").status_code == 422
    client.post(f"/acme/people/segments/{segment.pk}/restore/")
    assert client.get("/acme/people/?q=segment:with-mail").status_code == 200


def test_a_file_is_looked_into_before_anything_is_kept(client_of: Any, agent: Any, person: Any) -> None:
    person("Ann", email="ann@x.org")
    client = client_of(agent)
    data = "Name;E-Mail;Ort\nAnn Other;ann@x.org;Bonn\nBea;bea@x.org;Köln\n".encode()
    sent = {**BASIS, "role": "customer", "file": SimpleUploadedFile("leads.csv", data)}
    answer = client.post("/acme/people/exchange/upload/", sent)
    preview = client.get(answer.headers["Location"])
    assert "Bea" in preview.text and "2 contacts" in preview.text and Person.objects.count() == 1
    columns = {"column_0": "name", "column_1": "email", "column_2": "city"}
    client.post(answer.headers["Location"], {**columns, "import": "yes"})
    assert sorted(Person.objects.values_list("name", flat=True)) == ["Ann", "Bea"]
    assert client.get(answer.headers["Location"]).status_code == 404


def test_whom_a_query_finds_is_handed_out(client_of: Any, alice: Any, person: Any, now: Any) -> None:
    ann = person("Ann", email="ann@x.org")
    actions.merge_persons(person("Anna", phone="123 456"), ann, by=alice, now=now)
    person("Decoy")
    client = client_of(alice)
    table = client.get("/acme/people/export/csv/?q=has:email").content.decode("utf-8-sig")
    assert "ann@x.org" in table and "123 456" in table and "Decoy" not in table
    cards = client.get("/acme/people/export/vcf/").text
    assert cards.count("BEGIN:VCARD") == 2 and "Anna" not in cards


def test_everything_of_a_person_is_handed_out_and_erased(
    client_of: Any, alice: Any, filled: Any, person: Any, account: Any, now: Any
) -> None:
    """Also the posts, of which the timeline shows some; and what is left is the others'."""
    from talkworthy.listening.collecting import Listener
    from talkworthy.listening.jobs import claim_job, run_job
    from talkworthy.listening.models import Job

    ann = person("Ann", account("a0", "feed", handle="ann0"), email="ann@x.org")
    actions.merge_persons(person("Anna", phone="1234567"), ann, by=alice, now=now)
    person("Decoy", account("a1", "feed", handle="ann1"))
    client = client_of(alice)
    assert "Acme is wonderful" in client.get(f"/acme/people/{ann.pk}/").text
    answer = client.post(f"/acme/people/{ann.pk}/export/")
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as file:
        contents = json.loads(file.read("contents.json"))["tables"]
        told = "".join(file.read(name).decode() for name in file.namelist())
    assert contents["posts"] == 4 and contents["people.Person"] == 2 and "1234567" in told and "ann1" not in told
    assert "sentiment" in told
    assert client.post(f"/acme/people/{ann.pk}/erase/", {"why": "They asked"}).status_code == 422
    client.post(f"/acme/people/{ann.pk}/erase/", {"why": "They asked", "sure": "on"})
    while job := claim_job(now=now):
        run_job(job, Listener(filled))
    job = Job.objects.get(kind="erasure")
    assert job.state == "done", job.error
    assert job.result["posts"] == 4 and job.result["tables"]["people.Person"] == 2
    assert job.result["tables"]["people.Identity"] == 1 and "a0" not in json.dumps(job.request)
    assert list(Person.objects.values_list("name", flat=True)) == ["Decoy"] and Identity.objects.count() == 1
    assert "people.Person" in client.get(f"/acme/jobs/{job.pk}/").text


def test_a_person_without_any_account_is_erased_too(client_of: Any, alice: Any, person: Any, filled: Any) -> None:
    from talkworthy.listening.collecting import Listener
    from talkworthy.listening.jobs import claim_job, run_job
    from talkworthy.listening.models import Job

    ann = person("Ann", email="ann@x.org")
    client_of(alice).post(f"/acme/people/{ann.pk}/erase/", {"why": "They asked", "sure": "on"})
    while job := claim_job(now=Job.objects.latest("pk").created_at + timedelta(seconds=1)):
        run_job(job, Listener(filled))
    job = Job.objects.get(kind="erasure")
    assert job.state == "done", job.error
    assert job.result["tables"]["people.Attribute"] == 1 and Person.objects.count() == 0
    assert client_of(alice).get(f"/acme/jobs/{job.pk}/").status_code == 200
