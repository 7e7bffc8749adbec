"""The way of a mention through a playbook, and what each answer rests on."""

from collections.abc import Mapping
from typing import Any

import pytest
from tests.conftest import NOW

from talkworthy.analysis import default_pipeline
from talkworthy.analysis.urgency import SMALL_BATCH, alarms
from talkworthy.routing.askers import ASKERS, Facts, Seen
from talkworthy.routing.playbook import Compiled, compile_playbook, default_tree
from talkworthy.routing.triage import Triage, decide, decide_all, known
from talkworthy.schema import posts_table

US, RIVAL, FIELD = Seen(1, "Acme", "brand"), Seen(2, "Globex", "rival"), Seen(3, "Routers", "field")


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    """The default playbook."""
    return compile_playbook(known(default_tree()), now=NOW)


def post(text: str, **columns: Any) -> dict[str, Any]:
    """A post as it stands in the archive: with what analysis says of it."""
    table = posts_table([{"uid": "mastodon:example.org:1", "text": text, "published_at": NOW, **columns}])
    row: dict[str, Any] = default_pipeline().run(table.to_batches()[0]).to_pylist()[0]
    return row


def triaged(compiled: Compiled, text: str, *seen: Seen, **facts: Any) -> Triage:
    """Where a text comes out."""
    columns = facts.pop("columns", {})
    return decide(compiled, Facts(post=post(text, **columns), monitors=seen, **facts))


def answers(found: Triage) -> Mapping[str, str]:
    """What each node answered."""
    return {step.node: step.answer for step in found.path}


def test_a_mention_of_somebody_else_needs_nothing(compiled: Compiled) -> None:
    found = triaged(compiled, "The weather is nice today.")
    assert (found.outcome.name, found.opens) == ("no_action", False)


def test_danger_at_our_own_product_is_escalated_before_anything_else(compiled: Compiled) -> None:
    found = triaged(compiled, "My Acme charger caught fire and burned my hand, please help", US)
    assert (found.outcome.name, found.priority) == ("escalate_crisis", "risk")
    assert found.path[0].evidence.pieces


def test_danger_at_somebody_else_is_not_our_crisis(compiled: Compiled) -> None:
    assert triaged(compiled, "A charger caught fire and burned my hand", FIELD).path[0].answer == "no"


@pytest.mark.parametrize(
    "text",
    [
        "Mi cuenta de Acme ha sido hackeada, ayuda por favor",
        "Mon compte Acme a été piraté, aidez moi",
    ],
)
def test_a_hacked_account_is_a_matter_of_support_and_not_a_crisis(compiled: Compiled, text: str) -> None:
    found = triaged(compiled, text, US)
    assert found.path[0].answer == "no"
    assert found.outcome.name != "escalate_crisis"


def test_a_lawyers_threat_about_a_hacked_account_stays_a_crisis(compiled: Compiled) -> None:
    found = triaged(compiled, "My Acme account was hacked and nobody helps. You will hear from my lawyer!", US)
    assert found.outcome.name == "escalate_crisis"


def test_words_of_self_harm_are_escalated_whoever_they_are_about(compiled: Compiled) -> None:
    assert triaged(compiled, "I want to kill myself").outcome.name == "escalate_crisis"


def test_a_rivals_mention_is_learned_from(compiled: Compiled) -> None:
    found = triaged(compiled, "Globex had a record year.", RIVAL)
    assert found.outcome.name == "learn_only"
    assert found.path[1].evidence.value == "Globex"


def test_a_rivals_mention_that_asks_for_advice_may_be_answered(compiled: Compiled) -> None:
    found = triaged(compiled, "Should I buy Globex, or is there something better?", RIVAL)
    assert found.outcome.name == "answer"
    assert answers(found)["Q8"] == "yes"


def test_a_request_for_help_is_supported(compiled: Compiled) -> None:
    found = triaged(compiled, "How can I reset my Acme router? Please help me, I can't log in", US)
    assert (found.outcome.name, found.priority, found.opens) == ("support", "service", True)


def test_a_bad_experience_gets_an_apology_and_a_remedy(compiled: Compiled) -> None:
    found = triaged(
        compiled, "I waited three weeks for my Acme order and it arrived broken. Worst service I have ever had.", US
    )
    assert found.outcome.name == "apologise_and_fix"


def test_praise_is_thanked_and_shared_only_where_the_person_agreed(compiled: Compiled) -> None:
    text = "I love my new Acme phone, the best I ever had, thank you!"
    assert triaged(compiled, text, US).outcome.name == "thank"
    assert triaged(compiled, text, US, may_share=True).outcome.name == "thank_and_share"


def test_a_claim_that_nobody_knows_to_be_true_is_looked_into_before_it_is_answered(compiled: Compiled) -> None:
    found = triaged(compiled, "Acme sells the data of its customers. Shameful company.", US)
    assert found.outcome.name == "research"
    assert answers(found)["Q4"] == "unknown"


def test_a_claim_that_the_team_knows_to_be_false_is_put_right(compiled: Compiled) -> None:
    tree = default_tree()
    tree["nodes"]["Q4"]["answers"]["false"]["when"] = "sells NEAR/3 data"
    found = decide(
        compile_playbook(known(tree), now=NOW),
        Facts(post=post("Acme sells the data of its customers. Shameful company."), monitors=[US]),
    )
    step = next(step for step in found.path if step.node == "Q4")
    assert found.outcome.name == "fix_facts"
    assert (step.evidence.by, [piece[0] for piece in step.evidence.pieces]) == ("query", ["sells", "data"])


@pytest.mark.parametrize("text", ["My Acme account was hacked, help!", "Mein Acme Konto wurde gehackt, bitte helft"])
def test_a_hacked_account_is_urgent_and_needs_help_but_is_no_matter_of_law(compiled: Compiled, text: str) -> None:
    found = triaged(compiled, text, US)
    assert found.outcome.name != "escalate_crisis"
    kinds = {alarm.kind for alarm in alarms(text.casefold())}
    assert "security" in kinds and "legal" not in kinds
    escalated = triaged(compiled, "Acme took my money, I will call my lawyer and sue you", US)
    assert escalated.outcome.name == "escalate_crisis"


def test_an_insult_of_a_small_account_is_only_watched(compiled: Compiled) -> None:
    found = triaged(
        compiled, "acme you are all fucking idiots and scum", US, columns={"author": {"id": "1", "followers": 12}}
    )
    assert found.outcome.name in {"monitor_only"}
    assert answers(found)["Q9"] == "no"


def test_an_insult_that_many_hear_goes_to_a_person(compiled: Compiled) -> None:
    found = triaged(
        compiled,
        "acme you are all fucking idiots and scum",
        US,
        columns={
            "author": {"id": "1", "followers": 900_000, "verified": True},
            "engagement": {"shares": 700, "replies": 300},
        },
    )
    assert found.outcome.name == "respond_current_only"
    assert found.outcome.autonomy == "observe"


def test_stars_say_what_was_lived_through(compiled: Compiled) -> None:
    assert triaged(compiled, "As expected.", US, columns={"rating": 1.0}).outcome.name == "apologise_and_fix"
    assert triaged(compiled, "As expected.", US, columns={"rating": 5.0}).outcome.name == "thank"


def test_where_the_community_answers_already_we_wait(compiled: Compiled) -> None:
    asked = "Does Acme ship to Norway?"
    assert triaged(compiled, asked, US).wait is None
    assert triaged(compiled, asked, US, answered_by_others=2).wait == 240


def test_a_crisis_never_waits_for_the_community(compiled: Compiled) -> None:
    found = triaged(compiled, "My Acme charger caught fire and burned my hand", US, answered_by_others=5)
    assert found.outcome.name == "escalate_crisis"
    assert found.wait is None


def test_a_persons_word_comes_before_everything(compiled: Compiled) -> None:
    facts = Facts(post=post("Acme sells the data of its customers. Shameful company."), monitors=[US])
    found = decide(compiled, facts, overrides={"Q4": "false"})
    assert found.outcome.name == "fix_facts"
    assert next(step for step in found.path if step.node == "Q4").evidence.by == "person"


def test_a_word_that_the_tree_does_not_know_any_more_is_passed_over(compiled: Compiled) -> None:
    facts = Facts(post=post("The weather is nice today."))
    assert decide(compiled, facts, overrides={"Q2": "martians", "Q99": "yes"}).outcome.name == "no_action"


def test_who_leaves_us_comes_before_other_service(compiled: Compiled) -> None:
    found = triaged(compiled, "I am so disappointed. How do I cancel my Acme contract? Please help me", US)
    assert found.priority == "cancel"
    assert found.priority_evidence.pieces


def test_the_same_facts_give_the_same_path(compiled: Compiled) -> None:
    first, second = (triaged(compiled, "How do I reset it? Please help me", US) for _ in range(2))
    assert first.as_json() == second.as_json()


def test_many_at_once_come_out_where_each_does_alone(compiled: Compiled) -> None:
    texts = [
        "How do I reset it? Please help me", "acme you are all idiots", "Cancel my Acme contract, I am disappointed!",
        "Globex is fine", "", "I love it, thank you!",
    ]  # fmt: skip
    facts = [Facts(post=post(text), monitors=[US]) for text in texts]
    together = [found.as_json() for found in decide_all(compiled, facts)]
    assert together == [decide(compiled, one).as_json() for one in facts]


def test_what_is_told_to_us_is_taken_at_its_word(compiled: Compiled) -> None:
    found = triaged(compiled, "Your website is broken and support is useless, terrible company", US, is_told_to_us=True)
    assert answers(found)["Q4"] == "true"
    assert found.outcome.name == "apologise_and_fix"


def test_what_is_written_to_us_alone_is_about_us_though_no_monitor_found_it(compiled: Compiled) -> None:
    text = "The swing in the north park is broken. Please help, when is it repaired?"
    assert triaged(compiled, text).outcome.name == "no_action"
    found = triaged(compiled, text, is_told_to_us=True)
    assert found.opens and found.path[1].answer == "us" and found.path[1].evidence.says == "written_to_us"
    assert triaged(compiled, text, RIVAL, is_told_to_us=True).path[1].answer == "us"


def test_every_step_says_on_what_it_rests(compiled: Compiled) -> None:
    found = triaged(compiled, "How can I reset my Acme router? Please help me, I can't log in", US)
    assert [step.node for step in found.path] == ["Q1", "Q2", "Q3", "Q4", "Q5", "Q6", "community"]
    assert all(step.evidence.by and step.evidence.says for step in found.path)
    model = next(step.evidence for step in found.path if step.node == "Q3")
    assert model.model.startswith("help ")
    assert model.accuracy


def test_every_answer_of_an_asker_is_one_that_it_declares(compiled: Compiled) -> None:
    texts = ["", "?", "Danke, super!", "acme 🤬🤬", "kill myself", "https://example.org/?q=1", "わたしは困っています。"]
    for text in texts:
        facts = Facts(post=post(text), monitors=[US])
        for name, (asker, allowed) in ASKERS.items():
            told = asker(facts)
            assert told is None or told[0] in allowed, name


def test_an_alarm_is_found_among_so_many_that_they_are_looked_at_together(compiled: Compiled) -> None:
    alarm = Facts(post=post("My phone caught fire and burned my hand"), monitors=[US])
    facts = [Facts(post=post("The weather is nice today."))] * SMALL_BATCH + [alarm]
    assert decide_all(compiled, facts)[-1].as_json() == decide(compiled, alarm).as_json()
    assert decide(compiled, alarm).path[0].evidence.pieces


def test_offence_is_told_by_the_tier_that_has_read_the_post(compiled: Compiled) -> None:
    text = "You are all idiots at Acme, go to hell"
    table = posts_table([{"uid": "mastodon:example.org:1", "text": text, "published_at": NOW}])
    read = {tier: default_pipeline(tier).run(table.to_batches()[0]).to_pylist()[0] for tier in ("fast", "careful")}
    facts = [Facts(post={**row, "intent": "other"}, monitors=[US]) for row in read.values()]
    found = [ASKERS["kind"][0](one) for one in facts]
    assert [evidence.model.split()[0] for _answer, evidence in found if evidence] == ["offensive", "careful-offensive"]
    assert [told.path[-1].answer for told in decide_all(compiled, facts)] == [
        decide(compiled, one).path[-1].answer for one in facts
    ]
