"""Accounts counted from posts, and PageRank of who answers, shares and names whom."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from talkworthy.analysis.graph import edges_of, pagerank
from talkworthy.analysis.voices import ANSWER, MENTION, SHARE, Gathering, Voices

BATCH = pa.RecordBatch

# What networkx 3.6.1 says (nx.pagerank, tol=1e-13, max_iter=2000), loops left out and doubles added up: the five that
# are most heard with their shares, and Σ (place + 1) · share over the nodes in the order of their numbers.
BY_NETWORKX = {
    "karate": ("33:0.1009192 0:0.0969973 32:0.0716932 2:0.0570785 1:0.0528769", 17.257727),
    "dolphins": ("14:0.0321445 17:0.0317281 51:0.0312994 57:0.0300954 37:0.0298753", 30.693294),
    "polbooks": ("12:0.0255913 8:0.0249941 3:0.0242314 84:0.0231841 72:0.0223957", 50.314859),
    "netscience": ("33:0.0054375 78:0.0053537 281:0.0032766 34:0.0031506 150:0.0030019", 673.820791),
    "email-Eu-core": ("160:0.0074961 62:0.0058941 86:0.0057085 107:0.0055644 121:0.0052314", 353.420028),
}


@pytest.mark.parametrize("name", list(BY_NETWORKX))
def test_pagerank_is_that_of_networkx(shared: Path, name: str):
    with gzip.open(shared / f"graph_small/{name}.csv.gz", "rt") as lines:
        rows = [line.split() for line in lines if line.strip()]
    names = sorted({node for row in rows for node in row[:2]}, key=int)
    place = {node: number for number, node in enumerate(names)}
    sources, targets = (np.array([place[row[side]] for row in rows]) for side in (0, 1))
    weights = np.array([float(row[2]) for row in rows])
    found = pagerank(edges_of(sources, targets, nodes=len(names), weights=weights))
    most, checksum = BY_NETWORKX[name]
    for told in most.split():
        node, share = told.split(":")
        assert found[place[node]] == pytest.approx(float(share), abs=2e-7)
    assert found @ np.arange(1, len(names) + 1) == pytest.approx(checksum, rel=1e-6)


def test_pagerank_of_a_triangle_can_be_worked_out_by_hand():
    # a and b act on c, c acts on a; b hears nothing but chance: r(b) = 0.15 / 3
    found = pagerank(edges_of(np.array([0, 1, 2]), np.array([2, 2, 0]), nodes=3))
    b = 0.05
    c = (0.05 + 0.85 * b + 0.85 * 0.05) / (1 - 0.85**2)
    assert found == pytest.approx([0.05 + 0.85 * c, b, c], abs=1e-8)
    assert found.sum() == pytest.approx(1)


def test_a_graph_without_edges_shares_equally_and_one_without_nodes_has_no_shares():
    nobody = np.zeros(0, np.int64)
    assert pagerank(edges_of(nobody, nobody, nodes=4)) == pytest.approx([0.25] * 4)
    assert len(pagerank(edges_of(nobody, nobody, nodes=0))) == 0


def author(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "handle": name.title(), **more}


ROWS: list[dict[str, Any]] = [
    {"text": "the bridge is closed again", "author": author("ann", followers=10)},
    {"text": "which one", "author": author("bob"), "in_reply_to": "mastodon:example.org:0", "mentions": ["ANN"]},
    {"text": "", "author": author("cat"), "repeats": "mastodon:example.org:0", "engagement_type": "REPOST"},
    {"text": "ask @ann", "author": author("cat"), "mentions": ["@ann", "nobody"]},
    {"text": "so it is", "author": author("ann", followers=12), "in_reply_to": "mastodon:example.org:0"},
    {"text": "lost", "author": author("bob"), "in_reply_to": "mastodon:example.org:999"},
    {"text": "nobody's words"},
]


@pytest.fixture
def voices(posts: Callable[..., BATCH]) -> Voices:
    """Ann is answered by Bob, and shared and named by Cat; the first post was found by monitors 3 and 4."""
    rows = [{**row, "published_at": f"2026-03-0{number + 1}T12:00:00+00:00"} for number, row in enumerate(ROWS)]
    batch = posts(*rows)
    more = {
        "id": pa.array(range(100, 100 + len(rows)), pa.int64()),
        "text_hash": pa.array([7, 8, None, 7, 9, 10, 7], pa.int64()),
        "near_hash": pa.array([7, None, None, None, 8, None, None], pa.int64()),
        "monitors": pa.array([[3, 4], None, [3], [], None, [4], [3]], pa.list_(pa.int32())),
    }
    for name, column in more.items():
        batch = batch.append_column(name, column)
    gathering = Gathering()
    for start in (0, 2, 5):
        gathering.add(batch.slice(start, {0: 2, 2: 3, 5: 2}[start]))
    assert gathering.posts == 6
    return gathering.voices()


def test_what_others_do_with_an_account_is_counted_once_a_post(voices: Voices):
    ann, bob, cat = (voices.accounts.index(name) for name in ("ann", "bob", "cat"))
    assert voices.channels[ann] == "mastodon"
    received = (voices.answers_received, voices.mentions_received, voices.shares_received, voices.people)
    assert [int(counts[ann]) for counts in received] == [1, 1, 1, 2]
    assert [int(counts[bob]) for counts in received] == [0, 0, 0, 0]
    assert voices.rank[ann] > voices.rank[bob] == pytest.approx(voices.rank[cat])
    assert voices.acts.of(ann) == [(103, MENTION), (102, SHARE), (101, ANSWER)]
    assert voices.acts.of(cat) == []
    assert voices.unresolved == 1


def test_an_account_is_known_by_its_own_posts_and_its_newest_facts(voices: Voices):
    ann, bob, cat = (voices.accounts.index(name) for name in ("ann", "bob", "cat"))
    assert voices.posts[[ann, bob, cat]].tolist() == [2, 2, 1]
    assert voices.shared[[ann, bob, cat]].tolist() == [0, 0, 1]
    assert voices.answering[[ann, bob, cat]].tolist() == [0, 1, 1]
    assert voices.followers[ann] == 12 and np.isnan(voices.followers[bob])
    assert voices.handles[ann] == "Ann"
    assert voices.days(ann) == 4
    assert voices.answered[[ann, bob]].tolist() == [1, 0]


def test_copies_and_posts_of_monitors_are_counted_by_account(voices: Voices):
    ann, bob, cat = (voices.accounts.index(name) for name in ("ann", "bob", "cat"))
    assert voices.copies[[ann, bob, cat]].tolist() == [1, 0, 1]
    assert voices.matched[4][[ann, bob, cat]].tolist() == [1, 1, 0]
    assert voices.found[[ann, bob, cat]].tolist() == [1, 1, 0]


def test_no_posts_have_no_voices():
    assert len(Gathering().voices()) == 0
