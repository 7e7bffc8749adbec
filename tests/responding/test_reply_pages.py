"""The pages of replies: composer, approvals, deliveries, stop, snippets and settings, for those who may and may not."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from talkworthy.responding import actions
from talkworthy.responding.models import ApprovalRule, Autonomy, Delivery, Draft, Manner, Sender, Snippet, Stop
from talkworthy.responding.selectors.deliveries import automated_share
from talkworthy.routing.models import Message
from talkworthy.workspaces.models import Workspace

from .conftest import NOW

pytestmark = pytest.mark.django_db
CASE = "/acme/replies/case/7/"


def page(client, address, **more):
    return client.get(address, **more).content.decode()


@pytest.fixture
def frank(client_of, people):
    return client_of(people["frank"])


@pytest.fixture
def erin(client_of, people):
    return client_of(people["erin"])


def change(client, draft, do="save", **fields):
    draft.refresh_from_db()
    asked = {"version": draft.version, "text": draft.text, "do": do} | fields
    return client.post(f"/acme/replies/drafts/{draft.pk}/", asked)


# the composer


def test_an_answer_is_begun_written_and_sent(frank, case, inward, channel, pass_time):
    inward()
    assert "Your router is lovely" in page(frank, CASE)
    assert frank.post(f"{CASE}start/").status_code == 302
    draft = Draft.objects.get()
    assert change(frank, draft, "send", text="You are welcome").status_code == 302
    assert "goes out" in page(frank, CASE)
    pass_time(start=timezone.now(), until=timedelta(minutes=1))
    assert channel.texts == ["You are welcome"]


def test_a_public_answer_looks_unlike_a_private_one(frank, draft):
    public = page(frank, CASE)
    Draft.objects.update(visibility="private")
    private = page(frank, CASE)
    assert 'class="sheet everybody"' in public and 'class="sheet between"' in private
    assert "everybody can read this" in public and "only they can read this" in private


def test_what_is_wrong_is_told_while_it_is_written_and_nothing_is_saved(frank, draft):
    told = frank.post(f"/acme/replies/drafts/{draft.pk}/look/", {"text": "What is your order number? " + "x" * 90})
    words = told.content.decode()
    assert "asks for personal data" in words and "17 too many" in words
    draft.refresh_from_db()
    assert draft.text == "You are welcome"


def test_how_it_will_read_is_shown_without_script_and_nothing_is_saved(frank, draft):
    said = change(frank, draft, "preview", text="See https://acme.example/help", visibility="private")
    words = said.content.decode()
    assert said.status_code == 200 and '<details class="further as-read" open>' in words
    assert '<a href="https://acme.example/help"' in words and ">See https://acme.example/help</textarea>" in words
    draft.refresh_from_db()
    assert (draft.text, draft.version) == ("You are welcome", 1)


def test_the_counter_counts_as_the_channel_does(frank, draft, channel):
    Sender.objects.update(limits={"characters": 60, "count": "graphemes", "link_length": 23})
    page_of = page(frank, CASE)
    assert 'data-most="60"' in page_of and 'data-count="graphemes"' in page_of and 'data-link="23"' in page_of
    told = {"text": f"👩‍👩‍👧‍👧 https://acme.example/{'x' * 80}"}
    assert "35 left" in frank.post(f"/acme/replies/drafts/{draft.pk}/look/", told).content.decode()


def test_a_channel_that_tells_people_by_their_name_shows_and_counts_it(frank, draft, channel):
    Sender.objects.update(limits={"characters": 60, "addressed": True})
    Message.objects.update(author_handle="zoe@far.example")
    said = frank.post(f"/acme/replies/drafts/{draft.pk}/look/", {"text": "Hi"}).content.decode()
    handle = Message.objects.get(uid=draft.in_reply_to).author_handle.lstrip("@")
    assert f"@{handle} Hi" in said and f"{60 - len(f'@{handle} Hi')} left" in said
    there = frank.post(f"/acme/replies/drafts/{draft.pk}/look/", {"text": f"@{handle} Hi"}).content.decode()
    assert f"@{handle} @{handle}" not in there


def test_a_private_answer_may_ask_for_an_order_number(frank, draft):
    asked = {"text": "What is your order number?", "visibility": "private"}
    assert "asks for personal" not in frank.post(f"/acme/replies/drafts/{draft.pk}/look/", asked).content.decode()


def test_what_is_too_long_is_not_sent(frank, draft):
    change(frank, draft, "send", text="x" * 101)
    assert not Delivery.objects.exists() and "101 of 100" in page(frank, CASE)


def test_the_second_save_shows_both_texts_and_overwrites_nothing(frank, client_of, people, draft):
    change(frank, draft, text="Frank's words")
    stale = client_of(people["gina"]).post(
        f"/acme/replies/drafts/{draft.pk}/", {"version": 1, "text": "Gina's words", "do": "save"}
    )
    words = stale.content.decode()
    assert stale.status_code == 409 and "Frank&#x27;s words" in words and "Gina&#x27;s words" in words
    draft.refresh_from_db()
    assert draft.text == "Frank's words"
    over = {"version": draft.version, "text": "Gina's words", "do": "save"}
    client_of(people["gina"]).post(f"/acme/replies/drafts/{draft.pk}/", over)
    draft.refresh_from_db()
    assert draft.text == "Gina's words"


def test_two_people_see_each_other(frank, client_of, people, draft):
    frank.post(f"{CASE}presence/", {"text": "abc", "version": 1})
    seen = client_of(people["gina"]).post(f"{CASE}presence/", {"version": 1}).content.decode()
    assert "Frank is writing here" in seen
    change(frank, draft, text="Newer")
    assert "newer version" in client_of(people["gina"]).post(f"{CASE}presence/", {"version": 1}).content.decode()


def test_a_snippet_is_inserted_with_the_person_s_name(frank, draft, workspace, alice):
    snippet = actions.save_snippet(
        workspace, name="Hi", shortcut="hi", texts={"en": "Hi {person.name}, case {case.number}"}, by=alice, now=NOW
    )
    change(frank, draft, f"snippet:{snippet.pk}", text="")
    draft.refresh_from_db()
    assert draft.text == "Hi Zoe, case 7" and Snippet.objects.get().uses == 1


def test_a_snippet_of_another_workspace_is_out_of_reach(frank, draft, alice):
    decoy = Workspace.objects.get(slug="decoy")
    theirs = actions.save_snippet(decoy, name="Hi", shortcut="hi", texts={"en": "x"}, by=alice, now=NOW)
    assert change(frank, draft, f"snippet:{theirs.pk}").status_code == 404


def test_a_file_comes_with_its_description(frank, draft, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    change(frank, draft, file=SimpleUploadedFile("a.png", b"x", "image/png"), alt="A router")
    attachment = draft.attachments.get()
    assert attachment.alt == "A router" and "a.png" in page(frank, CASE)
    change(frank, draft, **{f"alt-{attachment.pk}": "Another router"})
    assert draft.attachments.get().alt == "Another router"
    frank.post(f"/acme/replies/files/{attachment.pk}/remove/")
    assert not draft.attachments.exists()


def test_it_is_scheduled_recalled_given_up_and_brought_back(frank, draft):
    change(frank, draft, "schedule", send_at=(timezone.now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M"))
    draft.refresh_from_db()
    assert draft.state == "scheduled"
    frank.post(f"/acme/replies/drafts/{draft.pk}/recall/")
    change(frank, draft, "drop")
    draft.refresh_from_db()
    assert draft.state == "dropped"
    frank.post(f"/acme/replies/drafts/{draft.pk}/restore/")
    draft.refresh_from_db()
    assert draft.state == "writing"


def test_a_viewer_reads_and_does_not_write(client_of, people, draft):
    carol = client_of(people["carol"])
    assert "You are welcome" in page(carol, CASE) and "data-send" not in page(carol, CASE)
    assert carol.post(f"{CASE}start/").status_code == 403
    for path in ("", "look/", "recall/", "restore/", "approve/", "refuse/"):
        assert carol.post(f"/acme/replies/drafts/{draft.pk}/{path}", {"do": "send", "version": 1}).status_code == 403
    assert not Delivery.objects.exists()


def test_a_stranger_finds_nothing(client_of, dan, draft):
    client = client_of(dan)
    assert client.get(CASE).status_code == 404
    assert client.post(f"/acme/replies/drafts/{draft.pk}/", {"do": "send", "version": 1}).status_code == 404
    assert client.post(f"/elsewhere/replies/drafts/{draft.pk}/", {"do": "send", "version": 1}).status_code == 404


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_saving_leads_to_no_other_site(frank, draft, back):
    assert change(frank, draft, back=back).headers["Location"] == CASE


def test_the_composer_is_a_fragment_for_the_case_s_page(frank, draft):
    words = page(frank, CASE, headers={"hx-request": "true", "hx-current-url": "http://testserver/acme/cases/7/"})
    assert words.lstrip().startswith("<section") and 'name="back" value="/acme/cases/7/"' in words


def test_an_answer_begun_from_the_list_leads_to_the_case_and_not_to_the_list(frank, draft):
    seen_in = {"hx-request": "true", "hx-current-url": "http://testserver/acme/inbox/?tab=all"}
    words = page(frank, f"{CASE}?back=/acme/cases/7/%3Ftab%3Dall", headers=seen_in)
    assert 'name="back" value="/acme/cases/7/?tab=all"' in words
    case = page(frank, "/acme/cases/7/?tab=all", headers=seen_in)
    assert f'hx-get="{CASE}?back=%2Facme%2Fcases%2F7%2F%3Ftab%3Dall"' in case
    assert "evil" not in page(frank, f"{CASE}?back=//evil.example/", headers=seen_in)


# approval


@pytest.fixture
def asked(draft, workspace, people):
    ApprovalRule.objects.create(workspace=workspace, name="Everything")
    actions.save_draft(draft, version=1, text="You are most welcome", by=people["frank"], now=NOW)
    return actions.ask_approval(draft, by=people["frank"], now=NOW)


def test_an_approval_is_given_to_the_version_that_was_read(erin, frank, asked):
    words = page(erin, "/acme/replies/")
    assert "<ins>most " in words or "<ins> most</ins>" in words or "<ins>most" in words
    assert "data-approve" not in page(frank, "/acme/replies/")
    erin.post(f"/acme/replies/drafts/{asked.pk}/approve/", {"version": 1})
    asked.refresh_from_db()
    assert asked.state == "asked"
    erin.post(f"/acme/replies/drafts/{asked.pk}/approve/", {"version": 2})
    asked.refresh_from_db()
    assert asked.state == "approved"


def test_the_composer_says_who_may_approve(frank, asked):
    words = page(frank, CASE)
    assert "Everything" in words and "Erin" in words and "Send in public" not in words


def test_a_refusal_is_shown_to_the_writer_with_its_reason(erin, frank, asked):
    erin.post(f"/acme/replies/drafts/{asked.pk}/refuse/", {"version": 2, "why": "Too cold"})
    assert "Too cold" in page(frank, CASE)


def test_the_queue_of_another_workspace_is_not_shown(client_of, dan, asked):
    assert "welcome" not in page(client_of(dan), "/elsewhere/replies/")


# deliveries


def test_what_failed_can_be_tried_again_and_what_is_unsure_settled(frank, draft, people):
    delivery = actions.send_draft(draft, version=1, by=people["frank"], now=NOW)
    Delivery.objects.update(state="failed", error="The channel said no")
    assert "The channel said no" in page(frank, "/acme/replies/deliveries/?show=failed")
    frank.post(f"/acme/replies/deliveries/{delivery.pk}/retry/")
    assert Delivery.objects.get().state == "waiting"
    Delivery.objects.update(state="unsure")
    address = "https://box.example/1"
    frank.post(f"/acme/replies/deliveries/{delivery.pk}/settle/", {"arrived": "yes", "url": address})
    assert Delivery.objects.get().state == "delivered" and Delivery.objects.get().remote_url == address


def test_the_list_of_deliveries_costs_the_same_for_many(
    frank, case, workspace, people, source, inward, django_assert_num_queries
):
    inward()
    for _ in range(20):
        draft = actions.start_draft(case, text="x", by=people["frank"], now=NOW)
        Delivery.objects.create(workspace=workspace, draft=draft, draft_version=1, by=people["frank"])
    frank.get("/acme/replies/deliveries/")
    with django_assert_num_queries(9):  # session, user, member, rows, counts, share, cases, alerts, other workspaces
        frank.get("/acme/replies/deliveries/")


def test_the_share_of_machines_is_told_with_its_n(frank, case, workspace, people, source, inward):
    inward()
    now = timezone.now()
    for place in range(4):
        draft = actions.start_draft(case, text="x", by=people["frank"], now=now)
        Delivery.objects.create(
            workspace=workspace,
            draft=draft,
            draft_version=1,
            state="delivered",
            delivered_at=now - timedelta(days=1 if place else 40),
            automatic=place < 2,
        )
    share = automated_share(viewer=people["frank"], now=now)
    assert (share.n, share.automatic) == (3, 1)
    assert "n = 3" in page(frank, "/acme/replies/deliveries/") and "33" in page(frank, "/acme/replies/deliveries/")


# the stop


def test_the_switch_shows_a_banner_on_every_page_until_a_lead_lifts_it(frank, erin, workspace):
    frank.post("/acme/replies/stop/", {"why": "A train crashed"})
    for address in ("/acme/listen/", "/acme/settings/", "/acme/replies/"):
        assert "A train crashed" in page(frank, address)
    stop = Stop.objects.get()
    assert frank.post(f"/acme/replies/stop/{stop.pk}/lift/").status_code == 403
    erin.post(f"/acme/replies/stop/{stop.pk}/lift/")
    assert "A train crashed" not in page(frank, "/acme/listen/")
    assert "A train crashed" in page(frank, "/acme/replies/stop/")


def test_an_analyst_does_not_press_the_switch(client_of, bob):
    assert client_of(bob).post("/acme/replies/stop/", {"why": "x"}).status_code == 403
    assert not Stop.objects.exists()


def test_a_stop_of_another_workspace_is_not_lifted(erin):
    theirs = Stop.objects.create(workspace=Workspace.objects.create(name="Other", slug="other"), why="x")
    erin.post(f"/acme/replies/stop/{theirs.pk}/lift/")
    theirs.refresh_from_db()
    assert theirs.lifted_at is None


# settings


def test_the_table_of_machines_is_read_by_all_and_set_by_administrators(client_of, people, alice):
    asked = {"level-thank": "send", "cap_hour-thank": "3", "level-escalate_crisis": "observe"}
    assert client_of(people["frank"]).get("/acme/settings/replies/").status_code == 200
    assert client_of(people["erin"]).post("/acme/settings/replies/", asked).status_code == 403
    client_of(alice).post("/acme/settings/replies/", asked)
    row = Autonomy.objects.get()
    assert (row.outcome, row.level, row.cap_hour) == ("thank", "send", 3)


def test_a_crisis_is_never_left_to_a_machine(client_of, people, alice):
    client_of(alice).post("/acme/settings/replies/", {"level-escalate_crisis": "send"})
    assert not Autonomy.objects.filter(level="send").exists()


def test_a_lead_makes_a_rule_and_an_agent_does_not(erin, frank, workspace):
    asked = {"name": "Public", "visibility": ["public"], "machine": "yes", "count": 2, "by_another": "on"}
    assert frank.post("/acme/settings/replies/approval/new/", asked).status_code == 403
    assert erin.post("/acme/settings/replies/approval/new/", asked).status_code == 302
    rule = ApprovalRule.objects.get()
    assert rule.condition == {"visibility": ["public"], "machine": True} and rule.count == 2 and not rule.enabled
    assert "Public" in page(frank, "/acme/settings/replies/approval/")
    assert erin.get(f"/acme/settings/replies/approval/{rule.pk}/").status_code == 200
    erin.post(f"/acme/settings/replies/approval/{rule.pk}/delete/")
    assert not ApprovalRule.objects.exists()


def test_an_account_is_turned_on_by_an_administrator(client_of, people, alice, source):
    Sender.objects.update(enabled=False)
    assert (
        client_of(people["erin"]).post(f"/acme/settings/replies/accounts/{source.pk}/", {"on": "yes"}).status_code
        == 403
    )
    assert "Letterbox" in page(client_of(people["frank"]), "/acme/settings/replies/accounts/")
    client_of(alice).post(f"/acme/settings/replies/accounts/{source.pk}/", {"on": "yes"})
    assert Sender.objects.get().enabled


def test_the_disclosure_line_stands_under_what_everybody_reads(client_of, alice, frank, draft, channel, pass_time):
    asked = {"disclosure": "{name}, {workspace}", "machine_disclosure": "", "guidance": "", "send_delay_seconds": 0}
    client_of(alice).post("/acme/settings/replies/manner/", asked)
    assert Manner.objects.get().send_delay_seconds == 0 and "Frank, Acme" in page(frank, CASE)
    change(frank, draft, "send")
    pass_time(start=timezone.now(), until=timedelta(seconds=20))
    assert channel.texts == ["You are welcome\n\nFrank, Acme"]


def test_the_token_of_the_drafter_is_never_shown(client_of, alice, erin, people):
    asked = {"url": "https://api.example/v1", "model": "m", "token": "hush-hush", "enabled": "on"}
    client = client_of(alice)
    assert erin.post("/acme/settings/replies/drafter/", asked).status_code == 403
    assert client.post("/acme/settings/replies/drafter/", asked).status_code == 302
    assert "hush" not in page(client, "/acme/settings/replies/drafter/")


def test_a_snippet_with_an_unknown_variable_stays_in_the_form(frank):
    asked = {"name": "Hi", "shortcut": "hi", "language": ["en", "de"], "text": ["Hi {person.nmae}", ""]}
    answer = frank.post("/acme/replies/snippets/new/", asked)
    assert answer.status_code == 422 and "person.name" in answer.content.decode() and not Snippet.objects.exists()
    frank.post("/acme/replies/snippets/new/", asked | {"text": ["Hi {person.name}", "Hallo"]})
    snippet = Snippet.objects.get()
    assert ";hi" in page(frank, "/acme/replies/snippets/")
    assert frank.get(f"/acme/replies/snippets/{snippet.pk}/").status_code == 200
    frank.post(f"/acme/replies/snippets/{snippet.pk}/delete/")
    frank.post(f"/acme/replies/snippets/{snippet.pk}/restore/")
    snippet.refresh_from_db()
    assert snippet.deleted_at is None


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/acme/replies/", "Nothing waits for approval"),
        ("/acme/replies/deliveries/", "Nothing here"),
        ("/acme/replies/snippets/", "No snippet yet"),
        ("/acme/settings/replies/approval/", "Nobody must approve"),
        ("/acme/settings/replies/accounts/", "No source could answer"),
    ],
)
def test_an_empty_page_teaches_what_will_stand_there(client_of, carol, address, words):
    assert words in page(client_of(carol), address)


def test_the_queue_of_approvals_costs_the_same_for_many(
    erin, case, workspace, people, source, inward, django_assert_num_queries
):
    inward()
    ApprovalRule.objects.create(workspace=workspace, name="Everything")
    for _ in range(20):
        draft = actions.start_draft(case, text="x", by=people["frank"], now=NOW)
        actions.ask_approval(draft, by=people["frank"], now=NOW)
    erin.get("/acme/replies/")
    with django_assert_num_queries(13):  # the frame's six, teams, rules, drafts, versions, approvals, files, messages
        assert erin.get("/acme/replies/").content.decode().count("data-approve") == 20


def test_earlier_answers_are_shown_where_a_machine_may_suggest_only(frank, draft, workspace, case, inward):
    from talkworthy.routing.models import Case, Conversation, Message

    talk = Conversation.objects.create(workspace=workspace, channel="letterbox", root="a", first_at=NOW, last_at=NOW)
    earlier = Case.objects.create(workspace=workspace, number=90, title="x", state="resolved")
    Message.objects.create(
        workspace=workspace, conversation=talk, uid="a", text="The router is lovely, thank you", at=NOW
    )
    Draft.objects.create(
        workspace=workspace, case=earlier, conversation=talk, in_reply_to="a", text="With pleasure!", state="sent"
    )
    assert "With pleasure!" in page(frank, CASE)
    Autonomy.objects.create(workspace=workspace, outcome="thank", level="observe")
    assert "With pleasure!" not in page(frank, CASE)


def test_a_number_that_cannot_be_read_saves_nothing_and_stands_there_again(client_of, alice, workspace):
    asked = {"level-support": "draft", "cap_hour-support": "5", "level-answer": "draft", "delay_seconds-answer": "soon"}
    answer = client_of(alice).post("/acme/settings/replies/", asked)
    said = answer.content.decode()
    assert answer.status_code == 422 and "Answer: write a whole number from 0 to 86400." in said
    assert 'name="delay_seconds-answer" value="soon"' in said and 'name="cap_hour-support" value="5"' in said
    assert not Autonomy.objects.filter(workspace=workspace).exists()
    assert client_of(alice).post("/acme/settings/replies/", asked | {"delay_seconds-answer": "60"}).status_code == 302
    assert Autonomy.objects.filter(workspace=workspace, level="draft").count() == 2


@pytest.mark.parametrize("version", ["", "x", "²", "9" * 30])
def test_a_version_that_is_no_number_is_an_old_one(erin, draft, version):
    told = {"version": version, "text": "Other words", "do": "save", "source": "²"}
    assert erin.post(f"/acme/replies/drafts/{draft.pk}/", told).status_code == 409
    assert erin.post(f"/acme/replies/drafts/{draft.pk}/approve/", told).status_code == 302
    assert erin.get("/acme/replies/deliveries/", {"before": version}).status_code == 200
    draft.refresh_from_db()
    assert draft.text == "You are welcome" and draft.state == "writing"
