"""Runs of letters of a whole batch are those of each word by itself, and a text's language is its own."""

import html
import re
from datetime import UTC, datetime

import numpy as np
import regex
from hypothesis import given
from hypothesis import strategies as st

from talkworthy.analysis import words
from talkworthy.analysis.heads import Heads
from talkworthy.analysis.language import Language, detector, evidence, leaning, sums, tables
from talkworthy.analysis.letter_runs import FAMILIES, LENGTHS, MOST_READ, letter_runs
from talkworthy.analysis.reasons import why
from talkworthy.query.languages import LANGUAGES
from talkworthy.schema import posts_table

TEXTS = (
    "My order arrived broken, and nobody’s answering!",
    "",
    "12345 :-) https://example.org/an-address @somebody.else #hashtag",
    "今日は東京タワーに行きました",
    "Tom &amp; Jerry's l'été 'quoted' rock'n'roll",
    "a",
    "nul\0inside",
    "İstanbul'da ÇOK güzel",
    "Τι κάνεις Σας",
)
FACTOR, BORDER = 16777619, ord(" ")


def plainly(text: str) -> list[list[int]]:
    """By family the numbers of one text, word after word and letter after letter."""
    cut = re.sub(r"https?://[^\s\0]+|www\.[^\s\0]+|[@#][\w.\-]+", " ", html.unescape(text.replace("\0", " ")))
    found: list[list[int]] = [[] for _ in FAMILIES]
    for word in regex.findall(r"[\p{L}\p{M}]+(?:['’][\p{L}\p{M}]+)*", cut.lower()[:MOST_READ]):
        codes = [BORDER, *(ord(letter) for letter in word.replace("’", "'")), BORDER]
        for family, length in enumerate(LENGTHS):
            for at in range(len(codes) - length + 1):
                run = codes[at : at + length]
                number = run[0]
                for code in run[1:]:
                    number = (number * FACTOR + code) % 2**32
                if run != [BORDER]:
                    found[family].append(number)
        found[-1].append(sum(code * FACTOR**at for at, code in enumerate(codes[1:-1])) % 2**32)
    return found


def of_batch(texts: list[str] | tuple[str, ...]) -> list[list[list[int]]]:
    """The same of a batch, as it is read."""
    runs = letter_runs(texts)
    return [
        [runs.numbers[family][starts[at] : starts[at + 1]].tolist() for family, starts in enumerate(runs.starts)]
        for at in range(len(texts))
    ]


def test_the_runs_of_a_batch_are_those_of_each_word_by_itself():
    assert of_batch(TEXTS) == [plainly(text) for text in TEXTS]


@given(st.lists(st.text(alphabet="aBçß'’ \n&;.@#東ひ1", max_size=14), min_size=1, max_size=4))
def test_the_runs_of_a_batch_are_those_of_each_word_whatever_the_texts(texts: list[str]):
    assert of_batch(texts) == [plainly(text) for text in texts]


def test_what_runs_add_up_to_is_the_sum_of_their_rows():
    held = tables()
    text = "Wo bleibt mein Paket?"
    runs = letter_runs([text])
    family = LENGTHS.index(3)
    numbers = np.array(plainly(text)[family], np.uint32)
    places = words.mixed(numbers + np.uint32(3 * 0x01000193)) & np.uint32(len(held.gains) - 1)
    expected = (held.gains[places].astype(float) / 16 + held.floor).sum(axis=0)
    assert np.allclose(sums(runs, held)[family, 0], expected, rtol=1e-5)


def test_the_language_of_a_text_does_not_depend_on_its_neighbours():
    texts = [*TEXTS, "Ich bin total begeistert", "me encanta", "ok"]
    assert detector().best(texts) == [found for text in texts for found in detector().best([text])]


def test_letters_of_a_script_are_counted_and_signs_are_not():
    runs = letter_runs(["東京 tower 12, ひ"], ("Han", "Hiragana"))
    assert runs.letters.tolist() == [8]
    assert runs.scripts.tolist() == [[2, 1]]


def test_what_stands_far_behind_is_not_read():
    begin = "Der schnelle braune Fuchs springt über den faulen Hund. " * 3
    assert detector().best([begin]) == detector().best([begin + "The quick brown fox jumps over the lazy dog. " * 40])


def test_the_evidence_of_a_word_speaks_for_its_language():
    found = {held.text: held.weight for held in evidence("Wir würden das niemals tun @thefox", "de")}
    assert list(found) == ["Wir", "würden", "das", "niemals", "tun"]
    assert found["würden"] > 0


def test_every_language_that_can_be_found_has_a_name() -> None:
    assert not [code for code in tables().languages if code not in LANGUAGES]


def test_what_a_source_usually_speaks_moves_a_short_post_and_nothing_that_is_plain():
    short, plain = "Vi ses i morgen", "I would like to know when my order will be delivered"
    held = detector().tables.languages
    norwegian = np.stack([leaning({"nb": 0.95}, held)] * 2)
    (alone, before, _), (english, _, _) = detector().best([short, plain])
    (moved, after, decided), (same, sure, _) = detector().best([short, plain], leanings=norwegian)
    assert alone in ("da", "nb") and (moved, decided) == ("nb", True)
    assert after > before or alone != "nb"
    assert (english, same) == ("en", "en") and sure > 0.95


def test_what_is_known_beforehand_is_bounded_and_of_nothing_nothing():
    held = detector().tables.languages
    told = leaning({"de": 1.0}, held)
    assert told.max() <= 3 and told.min() >= -1 and not leaning({}, held).any()


def test_words_that_say_nothing_stay_undecided_whatever_the_source_speaks():
    texts = ["Xqzt Wvbnk Zzzrt", "ok ok", "", "12345 :-)"]
    told = np.stack([leaning({"de": 1.0}, detector().tables.languages)] * len(texts))
    assert not any(decided for _, _, decided in detector().best(texts))
    assert not any(decided for _, _, decided in detector().best(texts, leanings=told))


def test_the_analyser_knows_sources_and_why_says_what_their_languages_did():
    text, shares, noon = "Vi ses i morgen", {"nb": 0.97, "en": 0.03}, datetime(2026, 3, 1, 12, tzinfo=UTC)
    rows = [{"uid": f"a:{source}", "text": text, "published_at": noon, "source": source} for source in ("s1", "s2")]
    posts = posts_table(rows).to_batches()[0]
    found, alone = (Language(spoken=spoken).annotate(posts).to_pylist() for spoken in ({"s1": shares}, None))
    assert found[0]["detected_language"] == "nb" and found[1] == alone[1]
    reason = why({"text": text, "source": "s1"}, "language", Heads(spoken={"s1": shares}))
    assert reason.answer == "nb" and "its source speaks nb 97%, en 3%; the words alone say" in reason.note
    assert "its source" not in why({"text": text, "source": "s2"}, "language", Heads(spoken={"s1": shares})).note
