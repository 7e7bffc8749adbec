"""What each head is trained on: rows with their answers, and the words of its card.

A set that forbids commercial use trains nothing here (`suggestion_mining`, `airline_tweets`, `twcs_sample`);
it may measure. Tweet sets whose authors state no restriction train weights and are never shipped as text.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from talkworthy.analysis import reports
from talkworthy.analysis.masking import CUT, towards
from talkworthy.analysis.parts import Cut
from talkworthy.analysis.training import weak
from talkworthy.analysis.training.sets import Row, key, labelled, read

SENTIMENTS = ("negative", "neutral", "positive")
YES, NO = "1", "0"
LANGUAGES = ("ar", "de", "en", "es", "fr", "hi", "it", "pt")

SEMEVAL = "SemEval-2017 task 4, tweets of 2013 to 2016 (repository MIT, the set states none; weights only)"
UMSAB = "UMSAB / XLM-T, tweets in eight languages (Apache-2.0)"
GOEMOTIONS = "GoEmotions, Reddit comments (Apache-2.0)"
COMPLAINTS = "Complaints on Twitter, Preotiuc-Pietro et al. 2019 (no licence stated; weights only)"
PURCHASE = "Purchase intent in tweets on one phone (MIT)"
NLBSE = "NLBSE 2024, GitHub issues of five projects (licence file empty; weights only)"
OFFENSE = "TweetEval offensive, English (released without restrictions; weights only)"
GERMEVAL = "GermEval 2018, German (CC BY 4.0)"
BANKING = "BANKING77 (CC BY 4.0)"
REVIEWS = "App-store reviews, Dabrowski et al. 2023 (MIT), labelled by rules"
TARGETED = (
    "Targets in tweets (Dong et al. 2014) and restaurant reviews (SemEval-2014 task 4), repository MIT; weights only"
)
RULED = "sentences of NLBSE 2024 issues and of SemEval-2017 tweets, labelled by rules"


@dataclass(frozen=True)
class Task:
    """One head: its answers (one answer means yes or no), rows, and card.

    `helped_by` names heads whose outputs are features of this one; `both` sets the threshold by macro F1
    instead of the F1 of "yes";
    `phrase_weight` is what a listed turn of phrase adds, for a head that learned from rules;
    answers weigh the same in all where it is `even`; `measured_on` are sets to measure on besides its own;
    where `telling` is given, a weight may go as far as its feature tells the answers apart, on top of this much;
    where it is `taught`, what the careful tier says of posts is a help (`teaching.py`);
    the weights of what helps may go `trust` times as far as those of a word;
    `counts` says how much a row of a group counts, where not once; `careful` is the strength of the careful head's fit;
    `groups_measured` are groups of the held-back tenth that are measured by themselves, too;
    `parts` cuts texts into parts that are read by a head each;
    a feature that stands in fewer rows than `fewest` has no weight, and cues have none unless it has `cues`;
    where it is `apart`, each of several answers is told from all others by itself.
    """

    name: str
    labels: tuple[str, ...]
    rows: Callable[[Path], list[Row]]
    sources: tuple[str, ...]
    strength: float
    purpose: str
    failures: str
    undecided_below: float = 0.0
    helped_by: tuple[str, ...] = ()
    both: bool = False
    phrase_weight: float = 0.0
    even: bool = True
    telling: float = 0.0
    taught: bool = False
    trust: float = 1.0
    counts: tuple[tuple[str, float], ...] = ()
    careful: float = 0.02
    groups_measured: tuple[tuple[str, str], ...] = ()
    parts: Cut | None = None
    fewest: int = 1
    cues: bool = True
    apart: bool = False
    version: str = "1.0.0"
    measured_on: tuple[tuple[str, Callable[[Path], list[Row]]], ...] = ()


def sentiment_rows(data: Path) -> list[Row]:
    """Tweets in English and in eight languages; validation parts of both sets are left out."""
    unseen = {
        key(row.text)
        for name in ("tweeteval/sentiment_val", "umsab_multilingual_sentiment/val")
        for row in labelled(data, f"{name}.jsonl.gz")
    }
    rows = labelled(data, "semeval_twitter_sentiment/message_train.jsonl.gz")
    rows += labelled(data, "umsab_multilingual_sentiment/train.jsonl.gz", group="lang")
    return [row for row in rows if key(row.text) not in unseen]


def emotion_rows(data: Path) -> list[Row]:
    """Reddit comments; the label is the names of their emotions with blanks between."""
    rows = []
    for row in read(data / "goemotions_reddit/train.jsonl.gz"):
        names = row["labels"] if isinstance(row["labels"], list) else str(row["labels"]).split(",")
        rows.append(Row(row["text"], " ".join(names)))
    return rows


def complaint_rows(data: Path) -> list[Row]:
    """Tweets that complain, and others."""
    return labelled(data, "complaint_tweets/train.jsonl.gz", label="label", group="domain")


def purchase_rows(data: Path) -> list[Row]:
    """Tweets on one phone whose writer means to buy; undefined ones count as no."""
    rows = labelled(data, "purchase_intent_tweets/train.jsonl.gz")
    return [Row(row.text, YES if row.label == "intent" else NO, "phone") for row in rows]


def issue_rows(data: Path) -> list[Row]:
    """GitHub issues, title and body."""
    rows = []
    for row in read(data / "issue_type_nlbse2024/train.jsonl.gz"):
        rows.append(Row(f"{row['title']}\n{row['body'] or ''}", row["label_name"], row["repo"]))
    return rows


def offensive_rows(data: Path) -> list[Row]:
    """Tweets in English and German."""
    rows = [
        Row(row.text, row.label, "en") for row in labelled(data, "tweeteval/offensive_train.jsonl.gz", label="label")
    ]
    german = labelled(data, "germeval2018_offensive/train.jsonl.gz", label="coarse")
    return rows + [Row(row.text, YES if row.label == "OFFENSE" else NO, "de") for row in german]


def target_rows(data: Path) -> list[Row]:
    """Tweets and restaurant reviews as they are read towards a target."""
    names = {"-1": "negative", "0": "neutral", "1": "positive"}
    rows = []
    for name in ("twitter_train", "restaurants_train"):
        for row in read(data / f"targeted_sentiment/{name}.jsonl.gz"):
            rows.append(Row(towards(row["text"], row["target"]), names[str(row["polarity"])], name, row["text"]))
    return rows


_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


def suggestion_rows(data: Path) -> list[Row]:
    """Sentences of app reviews, GitHub issues and tweets, labelled by rules."""
    rows = []
    for row in labelled(data, "app_reviews/reviews.csv.gz", label="app"):
        rows += [_by_rule(sentence, "review") for sentence in _SENTENCE.split(row.text) if 12 < len(sentence) < 300]
    for issue in read(data / "issue_type_nlbse2024/train.jsonl.gz"):
        title = issue["title"]
        asked = issue["label_name"] == "feature" and weak.suggests(title)
        if asked or issue["label_name"] != "feature":  # a feature's title that names a thing alone says nothing
            rows.append(Row(title, YES if asked else NO, "title"))
        body = re.sub(r"```.*?```|<!--.*?-->", " ", issue["body"] or "", flags=re.S)
        rows += [_by_rule(sentence, "issue") for sentence in _SENTENCE.split(body)[:25] if 20 < len(sentence) < 250]
    for row in labelled(data, "semeval_twitter_sentiment/message_train.jsonl.gz")[::6]:
        rows.append(_by_rule(row.text, "tweet"))
    return rows


def _by_rule(sentence: str, group: str) -> Row:
    return Row(sentence, YES if weak.suggests(sentence) else NO, group)


def help_rows(data: Path) -> list[Row]:
    """Customers' questions against tweets that ask nothing of anybody."""
    rows = [Row(row.text, YES, "bank") for row in labelled(data, "banking77/train.jsonl.gz")[::3]]
    rows += [
        Row(row.text, YES if weak.asks_for_help(row.text) else NO, "complaint")
        for row in labelled(data, "complaint_tweets/train.jsonl.gz", label="label")
    ]
    rows += [
        Row(row.text, YES if weak.asks_for_help(row.text) else NO, "tweet")
        for row in labelled(data, "semeval_twitter_sentiment/message_train.jsonl.gz")[::4]
    ]
    for issue in read(data / "issue_type_nlbse2024/train.jsonl.gz"):
        if issue["label_name"] != "feature":
            rows.append(Row(issue["title"], YES if issue["label_name"] == "question" else NO, "issue"))
    return rows


def praise_rows(data: Path) -> list[Row]:
    """Comments that admire, thank or love against all others, and tweets with neither good nor bad in them."""
    rows = []
    for row in emotion_rows(data):
        names = set(row.label.split())
        rows.append(Row(row.text, YES if names & {"admiration", "gratitude", "love"} else NO, "reddit"))
    rows += [
        Row(row.text, NO, "tweet")
        for row in labelled(data, "semeval_twitter_sentiment/message_train.jsonl.gz")[::3]
        if row.label != "positive"
    ]
    return rows


def _set(name: str, *, label: str = "label_name", yes: str = "") -> Callable[[Path], list[Row]]:
    def rows(data: Path) -> list[Row]:
        found = labelled(data, f"{name}.jsonl.gz", label=label)
        return [Row(row.text, YES if row.label == yes else NO) for row in found] if yes else found

    return rows


SENTIMENT_SETS = (
    ("TweetEval validation, English", _set("tweeteval/sentiment_val")),
    ("UMSAB validation, eight languages", _set("umsab_multilingual_sentiment/val")),
)
SUGGESTION_SETS = (
    ("SemEval-2019 task 9 validation (measured only)", _set("suggestion_mining/forum_val", label="label", yes="1")),
)
OFFENSIVE_SETS = (("TweetEval validation, English", _set("tweeteval/offensive_val", label="label", yes="1")),)

TASKS = (
    Task(
        "sentiment",
        SENTIMENTS,
        sentiment_rows,
        (SEMEVAL, UMSAB),
        1.0,
        "How a post feels about what it speaks of: negative, neutral or positive.",
        "Sarcasm; comparisons that praise one thing and blame another; code-mixing; languages beyond its eight.",
        0.4,
        telling=0.3,
        counts=tuple((language, 3.0) for language in LANGUAGES),
        version="1.1.0",
        measured_on=SENTIMENT_SETS,
    ),
    Task(
        "complaint",
        ("complaint",),
        complaint_rows,
        (COMPLAINTS,),
        2.0,
        "Whether a post states that something expected was not met.",
        "Complaints without a word of blame; anger at the world at large; languages other than English.",
        telling=0.3,
        taught=True,
        careful=0.01,
        version="1.2.0",
    ),
    Task(
        "purchase",
        ("purchase",),
        purchase_rows,
        (PURCHASE,),
        1.0,
        "Whether its writer means to buy, or asks before buying.",
        "Learned on one phone, noisy labels; jokes about not being able to afford it.",
        helped_by=("sentiment",),
        careful=0.01,
        version="1.1.0",
    ),
    Task(
        "suggestion",
        ("suggestion",),
        suggestion_rows,
        (REVIEWS, RULED),
        1.0,
        "Whether a post asks for a change or suggests one.",
        "Learned from rules: suggestions without any of their turns of phrase.",
        phrase_weight=1.62,
        measured_on=SUGGESTION_SETS,
        version="1.2.0",
    ),
    Task(
        "help",
        ("help",),
        help_rows,
        (BANKING, COMPLAINTS, SEMEVAL, NLBSE),
        0.5,
        "Whether a post asks for help.",
        "Rhetorical questions; learned partly from rules.",
        helped_by=("sentiment",),
    ),
    Task(
        "praise",
        ("praise",),
        praise_rows,
        (GOEMOTIONS, SEMEVAL),
        0.5,
        "Whether a post praises or thanks.",
        "Ironic praise.",
        helped_by=("sentiment",),
    ),
    Task(
        "issue-type",
        ("bug", "feature", "question"),
        issue_rows,
        (NLBSE,),
        1.0,
        "What a report is: bug, feature request or question.",
        "Projects with other templates than the five it has seen.",
        even=False,
        telling=0.3,
        parts=reports.CUT,
        fewest=3,
        cues=False,
        apart=True,
        careful=0.01,
        version="1.2.0",
    ),
    Task(
        "offensive",
        ("offensive",),
        offensive_rows,
        (OFFENSE, GERMEVAL),
        1.0,
        "Whether a post insults, threatens or swears at somebody, English and German.",
        "Quoted slurs, reclaimed words, insults without a rude word; other languages.",
        helped_by=("sentiment",),
        both=True,
        telling=0.3,
        taught=True,
        trust=2.0,
        counts=(("de", 1.5),),
        version="1.2.0",
        groups_measured=(("en", "the English tweets of that tenth"), ("de", "the German tweets of that tenth")),
        measured_on=OFFENSIVE_SETS,
    ),
    Task(
        "target-sentiment",
        SENTIMENTS,
        target_rows,
        (TARGETED,),
        0.6,
        "How a post feels towards one thing that it names.",
        "Targets far from the words that judge them; comparisons; targets that are not named; English only.",
        0.4,
        helped_by=("sentiment",),
        telling=0.3,
        taught=True,
        parts=CUT,
        careful=0.05,
        groups_measured=(("twitter_train", "the tweets of that tenth"),),
        version="1.2.0",
    ),
)


def task(name: str) -> Task:
    """The task of a name; KeyError where there is none."""
    return {held.name: held for held in TASKS}[name]
