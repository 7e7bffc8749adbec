"""What the careful encoder makes of texts, read off their words: of no text that measures, and folded in exactly."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from talkworthy.analysis import reading
from talkworthy.analysis.scoring import rarity
from talkworthy.analysis.training import fitting, helping, teaching
from talkworthy.analysis.training.sets import is_held_back

POSTS = ["my parcel is broken", "what a lovely morning", "the app crashes again", "thanks for the quick answer"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of sets: each of those that are read holds two posts, each of those that measure one of them."""
    held_back = next(text for text in (f"post {number}" for number in range(100)) if is_held_back(text))
    for name in (*teaching.READ, *teaching.MEASURED):
        texts = ["a post that measures"] if name in teaching.MEASURED else [*POSTS, "A post that  measures", held_back]
        file = tmp_path / f"{name}.jsonl.gz"
        file.parent.mkdir(exist_ok=True)
        with gzip.open(file, "wt", encoding="utf-8") as lines:
            lines.writelines(json.dumps({"text": text}) + "\n" for text in texts)
    return tmp_path


def test_no_text_is_read_that_something_is_measured_on_and_each_is_read_once(data: Path):
    assert list(teaching.unlabelled(data)) == [text for text in POSTS if not is_held_back(text)]


def test_the_main_directions_are_those_in_which_vectors_differ_most():
    chance = np.random.default_rng(1)
    wide, narrow = chance.normal(size=400).astype(np.float32), chance.normal(size=400).astype(np.float32)
    vectors = np.stack([0.1 * narrow + 7, 5 * wide], axis=1)
    found = teaching.main_directions(vectors, 2)
    assert abs(np.corrcoef(found[:, 0], wide)[0, 1]) > 0.999
    assert np.allclose(found.std(axis=0), 1, atol=1e-3)
    assert np.allclose(found.mean(axis=0), 0, atol=1e-3)


def test_a_direction_that_words_tell_is_read_off_them():
    texts = [f"{POSTS[number % 4]} number {number}" for number in range(200)]
    broken = np.array([number % 4 in (0, 2) for number in range(200)], np.float32)
    weights = teaching.learned(texts, np.stack([broken, 0.01 * np.roll(broken, 1)], axis=1), rarity())
    unseen, cues = reading.design(["the parcel is broken again", "a lovely morning, thanks"], rarity())
    told = np.abs(helping.told_by(weights, unseen, cues)[:, 0] - helping.told_by(weights, unseen, cues)[::-1, 0])
    assert told.min() > 0.5


def test_a_head_says_the_same_when_its_readers_are_folded_in():
    features, cues = reading.design(POSTS, rarity())
    chance = np.random.default_rng(1)
    readers = chance.normal(size=(features.shape[1] + cues.shape[1], 3)).astype(np.float32)
    told = helping.told_by(readers, features, cues)
    joined = sparse.hstack([features, sparse.csr_matrix(told)]).tocsr()
    fitted = fitting.fit(joined, cues, np.array([[1], [0], [1], [0]], np.float32), strength=1.0, steps=5)
    assert np.allclose(
        helping.fold_in(fitted, readers).logits(features, cues), fitted.logits(joined, cues), rtol=1e-3, atol=1e-3
    )


def test_vectors_that_were_kept_are_the_ones_that_would_be_made(tmp_path: Path):
    pytest.importorskip("onnxruntime")
    made = teaching.vectors_of(POSTS, tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    assert (teaching.vectors_of(POSTS, tmp_path) == made).all()
    assert (teaching.vectors_of(POSTS) == made).all()
