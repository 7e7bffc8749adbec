"""Who may be one person, with the evidence."""

import math
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from talkworthy.analysis import linkage
from talkworthy.people import actions
from talkworthy.people.linking import suggest_links
from talkworthy.people.models import LinkSuggestion, Person
from talkworthy.people.pairing import linked, tied
from talkworthy.workspaces.models import Member

DECOYS = (
    "Ada Quirk", "Bilal Hassan", "Chen Wei", "Dora Mwangi", "Edo Zandvoort", "Fatou Diallo", "Gita Rao", "Hugo Paz",
    "Ines Castillo", "Jonas Lindqvist", "Kofi Boateng", "Lena Vogt", "Mateo Rojas", "Nour Khoury", "Olga Sidorova",
)  # fmt: skip


def record(key: str, **known: str) -> dict[str, str | None]:
    return linkage.comparable(key, {name: [value] for name, value in known.items()})


def test_a_record_is_made_comparable_whatever_its_script_and_habit() -> None:
    made = record(
        "person:1", name="Наталья Иванова", handle="@nata_i@example.social", email="Nata+news@Example.org",
        phone="+7 (495) 123-45-67", birthday="19800229",
    )  # fmt: skip
    assert (made["given"], made["family"], made["handle"]) == ("natalia", "ivanova", "natai")
    assert (made["email"], made["phone"], made["birthday"]) == ("nata@example.org", "951234567", "1980-02-29")
    assert record("person:2", birthday="19800231")["birthday"] == "1980-02-31"


def test_ties_are_followed_through_others() -> None:
    assert linkage.clusters([("b", "c"), ("a", "b"), ("x", "y")]) == {"a": "a", "b": "a", "c": "a", "x": "x", "y": "x"}


def test_a_group_holds_by_the_mean_of_its_ties_and_one_tie_joins_no_two_groups() -> None:
    weak = [("a", "b", 0.9), ("b", "c", 0.9), ("a", "c", 0.3), ("x", "y", 0.99), ("y", "z", 0.99), ("x", "z", 0.99)]
    assert sorted(linkage.groups([*weak, ("c", "x", 0.9)])) == [["a", "b", "c"], ["x", "y", "z"]]


def test_linkage_is_measured_on_a_file_of_records(tmp_path: Path) -> None:
    from talkworthy.analysis import evaluate_file

    rows = ["nata,ivanova,nata@example.org,1", "natalia,ivanova,nata@example.org,1", "peter,miller,pm@example.org,2"]
    path = tmp_path / "records.csv"
    path.write_text("first_name,surname,email,cluster\n" + "\n".join(rows) + "\n", encoding="utf-8")
    found = evaluate_file("linkage", path, link=tied)
    assert (found["f1"], found["true_pairs"], found["n"]) == (1.0, 1, 3)
    with pytest.raises(ValueError, match="linkage needs"):
        evaluate_file("linkage", path)


def test_among_many_of_whom_no_two_are_one_nobody_is_found_and_nothing_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    killed, decoy = tmp_path / "scratch" / "linking-999999999-x", tmp_path / "scratch" / "archive"
    killed.mkdir(parents=True)
    decoy.mkdir()
    names = [sha256(str(n).encode()).hexdigest() for n in range(1000)]
    records = [record(f"person:{name}", name=f"{name[:9]} {name[9:20]}", city=name[20:29]) for name in names]
    assert linked(records, scratch=tmp_path / "scratch") == []
    assert list(tmp_path.rglob("*")) == [tmp_path / "scratch", decoy]


def test_what_random_pairs_agree_in_is_less_once_those_that_are_one_are_left_out() -> None:
    assert linkage.without_matches(0.0041, 0.8, share=0.004, least=1e-6) == pytest.approx(0.0009, abs=1e-4)
    assert linkage.without_matches(0.0001, 0.8, share=0.004, least=1e-6) == 1e-6


@pytest.fixture(scope="module")
def pairs() -> dict[tuple[str, str], Any]:
    records = [
        record("person:1", name="Natalia Ivanova", email="nata@example.org", city="Bonn"),
        record("identity:2", name="Наталья Иванова", handle="nata"),
        record("person:3", name="N. Ivanova", email="nata@example.org", phone="+49 228 1234567"),
        record("person:4", name="Peter Miller", email="peter@example.org", city="Bonn"),
        record("person:5", name="Ivanova Natalia", phone="0228 1234567", birthday="1980-01-02"),
        *(record(f"person:{n}", name=name, email=f"{name}@x.org", city="Bonn") for n, name in enumerate(DECOYS, 9)),
    ]  # fmt: skip
    return {tuple(sorted((pair.left, pair.right))): pair for pair in linked(records, least=0.5)}


def test_those_who_have_much_in_common_are_found_and_decoys_are_not(pairs: Any) -> None:
    assert ("person:1", "person:3") in pairs and ("person:3", "person:5") in pairs
    assert not any("person:4" in pair or int(key.split(":")[1]) > 8 for pair in pairs for key in pair)


def test_the_evidence_says_field_by_field_what_agrees_and_by_how_much(pairs: Any) -> None:
    evidence = {each.field: each for each in pairs["person:1", "person:3"].evidence}
    assert evidence["email"].level == "same" and evidence["email"].bits > 5
    assert (evidence["email"].left, evidence["name"].level) == ("nata@example.org", "same family name and initial")
    assert "phone" not in evidence  # only one side says one


def test_the_bits_add_up_to_the_probability(pairs: Any) -> None:
    """All that is not evidence is how seldom any two records are one."""
    first, second = pairs["person:1", "person:3"], pairs["person:3", "person:5"]
    told = [math.log2(pair.probability / (1 - pair.probability)) for pair in (first, second)]
    bits = [sum(each.bits for each in pair.evidence) for pair in (first, second)]
    assert told[0] - bits[0] == pytest.approx(told[1] - bits[1], abs=0.1)


@pytest.mark.usefixtures("pairs")
def test_what_was_decided_is_not_asked_again(workspace: Any, person: Any, alice: Any, now: Any) -> None:
    known = {"email": "nata@example.org", "phone": "0228 1234567"}
    a, b = person("Natalia Ivanova", **known), person("Natalia Ivanova", **known)
    person("Peter Decoy", email="peter@example.org")
    assert suggest_links(workspace, now=now)["suggested"] == 1
    suggestion = LinkSuggestion.objects.get()
    assert {suggestion.left, suggestion.right} == {f"person:{a.pk}", f"person:{b.pk}"}
    actions.deny_link(suggestion, by=alice, now=now, why="Mother and daughter.")
    assert suggest_links(workspace, now=now)["suggested"] == 0
    with pytest.raises(actions.Refused, match="Mother"):
        actions.merge_persons(a, b, by=alice, now=now)
    actions.reopen_link(suggestion, by=alice, now=now)
    suggestion.refresh_from_db()
    actions.confirm_link(suggestion, by=alice, now=now)
    assert Person.objects.get(pk=b.pk).root == a
    assert suggest_links(workspace, now=now)["suggested"] == 0
    with pytest.raises(actions.Refused):
        actions.confirm_link(suggestion, by=alice, now=now)


def test_two_bare_accounts_need_a_basis_for_the_person_they_make(
    workspace: Any, account: Any, alice: Any, now: Any
) -> None:
    from datetime import timedelta

    from talkworthy.people.actions.links import Basis

    one, two = account("a1", handle="nata"), account("b1", "bluesky", handle="nata")
    suggestion = LinkSuggestion.objects.create(
        workspace=workspace, left=actions.key_of(one), right=actions.key_of(two), probability=0.9, model="m"
    )
    with pytest.raises(actions.Refused, match="basis"):
        actions.confirm_link(suggestion, by=alice, now=now)
    suggestion.refresh_from_db()
    assert suggestion.state == "open"
    made = actions.confirm_link(
        suggestion, by=alice, now=now, basis=Basis("interest", "They wrote to us", now + timedelta(days=365))
    )
    assert made.identities.count() == 2
    assert Member.objects.filter(user=alice).exists()


def test_invented_persons_are_found_as_well_as_the_page_says() -> None:
    """The 1,000 records of Febrl's first set, which nothing was fitted to."""
    import csv
    import gzip
    from itertools import combinations

    root = Path(os.environ.get("TALKWORTHY_SHARED", Path(__file__).parents[3] / "shared")) / "data/febrl_persons"
    if not root.is_dir():
        pytest.skip("the shared data are not here (set TALKWORTHY_SHARED)")
    with gzip.open(root / "dataset1.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    names = {"given_name": "given_name", "surname": "family_name", "date_of_birth": "birthday", "address_1": "address",
             "soc_sec_id": "identifier", "postcode": "postcode", "suburb": "city"}  # fmt: skip
    records = [record(row["rec_id"], **{ours: row[theirs] for theirs, ours in names.items()}) for row in rows]
    found = {frozenset((pair.left, pair.right)) for pair in linked(records, explained=False)}
    numbers: dict[str, list[str]] = {}
    for row in rows:
        numbers.setdefault(row["rec_id"].split("-")[1], []).append(row["rec_id"])
    true = {frozenset(pair) for keys in numbers.values() for pair in combinations(keys, 2)}
    assert 2 * len(found & true) / (len(found) + len(true)) > 0.98
