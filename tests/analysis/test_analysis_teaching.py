"""What the careful tier says of texts, read off their words: of no text that measures, and folded in exactly."""

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


def test_an_answer_that_words_tell_is_read_off_them_and_scaled():
    texts = [f"{POSTS[number % 4]} number {number}" for number in range(200)]
    broken = np.array([number % 4 in (0, 2) for number in range(200)], np.float32)
    weights = teaching.learned(texts, np.stack([broken, 7 + 0.01 * broken], axis=1), rarity())
    unseen, cues = reading.design(["the parcel is broken again", "a lovely morning, thanks"], rarity())
    told = helping.told_by(weights, unseen, cues)
    assert (told[0] - told[1]).min() > 0.5
    assert np.allclose(told[:, 0], told[:, 1], atol=0.05)


def test_readers_of_a_text_are_told_of_each_of_its_parts():
    readers = np.random.default_rng(1).normal(size=(2 * reading.WIDTH + len(reading.CUES), 2)).astype(np.float32)
    one, other = (reading.design([post], rarity()) for post in POSTS[:2])
    together = sparse.hstack([one[0], other[0]]).tocsr(), np.hstack([one[1], other[1]])
    told = helping.told_by(helping.of_each_part(readers, 2), *together)
    apart = [helping.told_by(readers, *design) for design in (one, other)]
    assert np.allclose(told, np.hstack(apart), rtol=1e-3, atol=1e-3)


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
