"""What analysis says of a post."""

import pyarrow as pa

from talkworthy.schema.column import column

UNDECIDED = "undecided"
SENTIMENTS = ("positive", "neutral", "negative", UNDECIDED)
INTENTS = ("help", "purchase", "complaint", "suggestion", "praise", "other", UNDECIDED)

ANNOTATIONS = pa.schema(
    [
        column(
            "detected_language",
            pa.string(),
            "ISO 639-1 code (639-3 where there is none), or 'undecided'",
            null="not analysed",
        ),
        column("language_probability", pa.float32(), "how sure the language is", null="not analysed", unit="0 to 1"),
        column("sentiment", pa.string(), "positive, neutral, negative or undecided", null="not analysed"),
        column(
            "sentiment_score",
            pa.float32(),
            "probability of positive less probability of negative",
            null="not analysed",
            unit="-1 to 1",
        ),
        column(
            "sentiment_probability", pa.float32(), "probability of the answer given", null="not analysed", unit="0 to 1"
        ),
        column(
            "intent",
            pa.string(),
            "help, purchase, complaint, suggestion, praise, other or undecided",
            null="not analysed",
        ),
        column(
            "intent_probability", pa.float32(), "probability of the answer given", null="not analysed", unit="0 to 1"
        ),
        column(
            "urgency", pa.int8(), "how soon somebody should look", null="not analysed", unit="0 (can wait) to 100 (now)"
        ),
        column(
            "text_hash",
            pa.int64(),
            "equal for posts whose text is the same after folding; names, links and blanks cut",
            null="no text",
        ),
        column(
            "near_hash",
            pa.int64(),
            "equal for near copies seen in one batch or window: the hash of the first of them",
            null="no near copy known",
        ),
        column(
            "folded",
            pa.string(),
            "title and text as the matcher reads them: folded, without accents; a superset filter for searches",
            null="no text",
        ),
        column("analysed_by", pa.string(), "name and version of the pipeline that answered", null="not analysed"),
    ]
)
