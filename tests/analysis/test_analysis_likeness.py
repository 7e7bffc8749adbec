"""Likeness of texts, and how it is measured on pairs."""

import json
from pathlib import Path

import pytest

from talkworthy.analysis import evaluate_file
from talkworthy.analysis.similarity import Collection, likeness, words_of


def test_texts_that_share_rare_words_are_more_alike_than_those_that_share_common_ones():
    asked = ["which bank in doha is good"] * 3
    same, common, none = likeness(asked, ["a good bank in Doha please", "which is it, in here", "zwölf Boxkämpfer"])
    assert same > common > none


def test_a_text_is_very_like_itself_and_nothing_like_an_empty_one():
    same, empty = likeness(["mill street", "mill street"], ["mill street", ""])
    assert same > 0.99 and empty < 0.2


def test_the_parts_of_a_name_in_code_are_words_of_their_own():
    assert words_of("readFile of dfs.block_size") == [
        "readfile",
        "read",
        "file",
        "of",
        "dfs.block_size",
        "dfs",
        "block",
        "size",
    ]


def test_the_reason_names_the_words_that_two_texts_share():
    held = Collection(["The router is broken\nsince Tuesday", "my router broke", "bread and butter"])
    assert [word for word, _weight in held.why(0, 1).words] == ["router"]
    assert held.likeness([0])[0, 1] > held.likeness([0])[0, 2]
    assert held.likeness([0])[0, 1] == pytest.approx(held.probabilities([0], [1])[0], abs=1e-4)


def test_a_text_beside_a_collection_is_compared_as_if_it_were_of_it():
    texts = ["The router is broken\nsince Tuesday", "my router broke. I want my money back!", "bread and butter", ""]
    held = Collection(texts)
    whole = held.likeness([0])[0]
    beside = held.beside(texts[0])
    assert beside.chances == pytest.approx(whole, abs=1e-4)
    assert beside.why(1).words == held.why(0, 1).words and beside.looks[1] == pytest.approx(held.looks([0], [1])[0])
    other = held.beside("broken router, unheardof words")
    assert other.chances[0] > other.chances[2] and other.chances[0] < beside.chances[0]
    assert Collection([]).beside("router").chances.shape == (0,)


def test_a_rare_site_in_common_speaks_more_for_one_matter_than_a_site_of_everybody():
    texts = ["the bridge", "a crossing", "bread", "butter", "milk", "honey"]
    sites = [["news.example", "video.example"], ["news.example"], *[["video.example"]] * 4]
    alone, told = Collection(texts), Collection(texts, sites=sites)
    gained = told.probabilities([0, 0], [1, 2]) - alone.probabilities([0, 0], [1, 2])
    assert gained[0] > gained[1] + 0.2 and gained[1] > 0
    assert told.likeness([0])[0] == pytest.approx(told.probabilities([0] * 6, list(range(6))), abs=1e-4)
    assert not told.with_sites([]).looks([0], [1])[0, -1]


def test_the_reason_shows_the_sentence_that_is_nearest():
    held = Collection(["Hello there. My router broke on Tuesday! Thanks a lot.", "bread", ""])
    assert held.beside("the router is broken").why(0).sentence == "My router broke on Tuesday!"
    assert held.beside("the router is broken").why(2).sentence == ""


@pytest.mark.parametrize(
    "told",
    [{"relevant": [1]}, {"labels": [0, 1]}, {"relevant": ["the app takes long to start"]}],
)
def test_a_query_with_candidates_is_measured(tmp_path: Path, told: dict[str, object]):
    path = tmp_path / "queries.jsonl"
    row = {"query": "the app is slow to start", "candidates": ["we baked bread", "the app takes long to start"], **told}
    path.write_text(json.dumps(row), encoding="utf-8")
    found = evaluate_file("similar", path)
    assert (found["n"], found["hit_at_1"], found["auc"]) == (2, 1.0, 1.0)


@pytest.mark.parametrize("task", ["similar", "duplicate"])
def test_a_collection_with_groups_is_measured(tmp_path: Path, task: str):
    path = tmp_path / "threads.csv"
    path.write_text(
        "title,group_id\nThe bridge on Mill Street is closed,a\nthe Bridge on Mill Street is closed!,a\nbread,\n",
        encoding="utf-8",
    )
    found = evaluate_file(task, path)
    assert (found["n"], found["candidates"], found["hit_at_1"]) == (2, 2, 1.0)


def test_sites_are_measured_beside_the_texts_and_not_within_them(tmp_path: Path):
    path = tmp_path / "threads.csv"
    rows = ["the bridge is closed,a.example,a", "no way over the river,a.example,a", "no way but bread,b.example,"]
    path.write_text("title,domain,group_id\n" + "\n".join([*rows, *["butter,c.example,"] * 5]) + "\n", encoding="utf-8")
    found = evaluate_file("similar", path)
    assert found["hit_at_1"] == 0.5 and found["with_sites"]["hit_at_1"] == 1.0


def test_pairs_of_ids_find_their_texts_in_the_file_beside(tmp_path: Path):
    (tmp_path / "bugs.csv").write_text(
        "Issue id,Summary,Description\n1,Router broken,x\n2,bread,y\n3,The router is broken,z\n", encoding="utf-8"
    )
    (tmp_path / "pairs.csv").write_text("Issue id,Duplicate id\n1,3\n", encoding="utf-8")
    assert evaluate_file("similar", tmp_path / "pairs.csv")["hit_at_1"] == 1.0


@pytest.mark.parametrize("task", ["similar", "duplicate"])
def test_pairs_are_measured(tmp_path: Path, task: str):
    rows = [
        {"text_a": "the bridge on Mill Street is closed", "text_b": "The bridge on Mill Street is closed!", "label": 1},
        {"text_a": "the bridge on Mill Street is closed", "text_b": "zwölf Boxkämpfer jagen Viktor", "label": 0},
    ]
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    found = evaluate_file(task, path)
    assert (found["auc"], found["f1"]) == (1.0, 1.0)


def test_related_questions_are_ranked_no_worse_than_stated(shared: Path):
    assert evaluate_file("similar", shared / "related_questions_qatarliving/val.csv.gz")["auc"] >= 0.85
