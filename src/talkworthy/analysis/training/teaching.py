"""What the careful tier says of a text, read off its words, so that heads that only count may use it.

The careful tier reads many posts that no head is fitted to. One regularised regression an answer reads what its
heads say off the counted features. These readings stand beside the features when a head is fitted; as all is linear,
they fold into its own weights, and at run time there is nothing of them left.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy import sparse

from talkworthy.analysis import careful, reading
from talkworthy.analysis.registry import model
from talkworthy.analysis.scoring import Floats
from talkworthy.analysis.training.sets import is_held_back, key, read

READ = (
    "semeval_twitter_sentiment/message_train",
    "tweeteval/offensive_train",
    "tweeteval/hate_train",
    "tweeteval/irony_train",
    "tweeteval/emotion_train",
    "umsab_multilingual_sentiment/train",
    "germeval2018_offensive/train",
    "goemotions_reddit/train",
    "vader_graded_valence/tweets",
)
"""Sets whose texts the careful tier reads; their labels are not looked at."""
MEASURED = (
    "tweeteval/sentiment_val",
    "tweeteval/offensive_val",
    "tweeteval/hate_val",
    "tweeteval/irony_val",
    "tweeteval/emotion_val",
    "umsab_multilingual_sentiment/val",
    "suggestion_mining/forum_val",
)
"""Sets whose texts it does not read, because something is measured on them."""
TOLD = ("sentiment", "complaint", "purchase", "suggestion", "help", "praise", "offensive")
"""The careful heads that are asked."""
STRENGTH = 1.0
STEPS = 50
AT_ONCE = 4_000


def lesson(data: Path, rarity: Mapping[str, Floats], kept: Path | None = None) -> Floats:
    """Readings of texts as weights over the features of `reading.design`, the cues last: (features, answers).

    Vectors and readings are looked for and left in `kept`, where given.
    """
    texts = list(unlabelled(data))
    weights = np.hstack([careful.careful_head(name).weights for name in TOLD])
    tables = [weights, *rarity.values()]
    rules = repr((STRENGTH, STEPS, *(table.tobytes() for table in tables)))
    return _kept(kept, [rules, *texts], lambda: learned(texts, vectors_of(texts, kept) @ weights, rarity))


def unlabelled(data: Path) -> Iterator[str]:
    """Each text once; none that is held back, and none of a set that measures."""
    met = {key(row["text"]) for name in MEASURED for row in read(data / f"{name}.jsonl.gz")}
    for name in READ:
        for row in read(data / f"{name}.jsonl.gz"):
            text = row["text"]
            if text and key(text) not in met and not is_held_back(text):
                met.add(key(text))
                yield text


def vectors_of(texts: Sequence[str], kept: Path | None = None) -> Floats:
    """One vector a text, from the files in `kept` where they were made before (some two hundred texts a second)."""
    starts = range(0, len(texts), AT_ONCE)
    return np.concatenate([_vectors(texts[start : start + AT_ONCE], kept) for start in starts])


def _vectors(texts: Sequence[str], kept: Path | None) -> Floats:
    def made() -> Floats:
        network = careful.encoder()
        return network.vectors([network.pieces(text) for text in texts]).astype(np.float16)

    return _kept(kept, texts, made).astype(np.float32)


def _kept(folder: Path | None, named_after: Sequence[str], made: Callable[[], Floats]) -> Floats:
    """What was left in the folder under the hash of these words and of the encoder; made where it is not there."""
    if folder is None:
        return made()
    words = "\0".join([model(careful.ENCODER).sha256, *named_after])
    file = folder / f"{hashlib.sha256(words.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.npy"
    if file.exists():
        return np.asarray(np.load(file, allow_pickle=False))
    found = made()
    folder.mkdir(parents=True, exist_ok=True)
    np.save(file, found)
    return found


def learned(texts: Sequence[str], said: Floats, rarity: Mapping[str, Floats]) -> Floats:
    """Regression from the features of texts onto what was said of them, each answer with middle 0 and variance 1."""
    features, cues = reading.design(texts, rarity)
    matrix = sparse.hstack([features, sparse.csr_matrix(cues)]).tocsr().astype(np.float32)
    wanted = (said - said.mean(axis=0)) / np.maximum(said.std(axis=0), 1e-6)
    return _regression(matrix, np.asarray(wanted, np.float32))


def _regression(matrix: sparse.csr_matrix, wanted: Floats) -> Floats:
    """Conjugate gradients on the normal equations, all columns side by side; few steps hold it back further."""
    flipped = matrix.T.tocsr()
    found = np.zeros((matrix.shape[1], wanted.shape[1]), np.float32)
    left = flipped @ wanted
    along, size = left.copy(), (left * left).sum(axis=0)
    for _ in range(STEPS):
        turned = flipped @ (matrix @ along) + STRENGTH * along
        step = size / np.maximum((along * turned).sum(axis=0), 1e-12)
        found += step * along
        left -= step * turned
        before, size = size, (left * left).sum(axis=0)
        along = left + size / np.maximum(before, 1e-12) * along
    return found
