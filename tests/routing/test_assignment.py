"""Who gets a case."""

from datetime import timedelta

from tests.conftest import NOW

from talkworthy.routing.assignment import Candidate, Need, choose

ANN, BEN = Candidate(1), Candidate(2)


def test_whoever_has_the_least_to_do_gets_it() -> None:
    assert choose([Candidate(1, open_cases=5), Candidate(2, open_cases=2)], Need(), now=NOW).member == 2


def test_what_somebody_can_take_on_counts_not_the_number_alone() -> None:
    assert (
        choose(
            [Candidate(1, open_cases=5, capacity=50), Candidate(2, open_cases=2, capacity=4)], Need(), now=NOW
        ).member
        == 1
    )


def test_of_equals_whoever_waited_longest_gets_it() -> None:
    waited = Candidate(2, last_assigned_at=NOW - timedelta(hours=2))
    assert choose([Candidate(1, last_assigned_at=NOW), waited], Need(), now=NOW).member == 2


def test_who_is_away_busy_or_full_is_passed_over_with_the_reason() -> None:
    found = choose(
        [Candidate(1, state="away"), Candidate(2, state="busy"), Candidate(3, open_cases=20)], Need(), now=NOW
    )
    assert (found.member, found.passed) == (None, {"away": 1, "busy": 1, "full": 1})


def test_who_was_to_be_back_by_now_is_back() -> None:
    assert choose([Candidate(1, state="away", away_until=NOW)], Need(), now=NOW).member == 1


def test_the_language_is_spoken_where_anybody_speaks_it() -> None:
    german = Candidate(2, languages=frozenset({"de"}), open_cases=9)
    assert choose([ANN, german], Need(language="de"), now=NOW).member == 2
    assert choose([ANN, BEN], Need(language="de"), now=NOW).member == 1


def test_skills_are_needed_all() -> None:
    able = Candidate(2, skills=frozenset({"billing", "legal"}), open_cases=9)
    half = Candidate(1, skills=frozenset({"billing"}))
    assert choose([half, able], Need(skills=frozenset({"billing", "legal"})), now=NOW).member == 2


def test_who_had_it_and_was_silent_does_not_get_it_again() -> None:
    assert choose([ANN, BEN], Need(but=1), now=NOW).member == 2


def test_skills_that_nobody_there_has_are_named() -> None:
    need = Need(skills=frozenset({"billing", "legal"}))
    half, away = Candidate(1, skills=frozenset({"billing"})), Candidate(2, "away", skills=need.skills)
    assert choose([half, away], need, now=NOW).lacking == ("legal",)
    assert choose([half, Candidate(3, skills=frozenset({"legal"}))], need, now=NOW).lacking == ("billing", "legal")


def test_who_has_the_skills_but_no_room_is_not_lacking() -> None:
    full = Candidate(1, open_cases=20, skills=frozenset({"billing"}))
    found = choose([full, BEN], Need(skills=frozenset({"billing"})), now=NOW)
    assert (found.member, found.passed, found.lacking) == (None, {"full": 1, "skills": 1}, ())
