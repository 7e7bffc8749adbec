"""Rules that label plain sentences where no set may be trained on: suggestions and requests for help.

They are labels for training, seldom wrong and often silent; the head learns from them what stands beside
their words.
"""

import re

from talkworthy.analysis import lexicons

_HELP = re.compile(
    r"""\b(
      (can|could|would|will)\s+(you|u|someone|anyone|somebody|anybody)\s+(please\s+|pls\s+)?(help|tell|explain|fix|check|advise|assist|look|sort|let|send|dm|call)
    | (please|pls|plz)\s+(help|advise|assist|fix|dm|call|respond|reply|check|sort)
    | (need|needs|want|looking\s+for)\s+(some\s+|your\s+)?(help|assistance|support|advice)
    | help\s+(me|us|please|pls) | any\s+(help|advice|ideas?|suggestions?)\b
    | how\s+(do|can|should|would|to)\s+(i|we|you|get|fix|make|use|cancel|change)
    | (why|what)\s+(is|are|does|do|did|can'?t|won'?t|isn'?t)\s+(my|i|the|it|this|your)\b.*\?
    | (where|when)\s+(is|are|will|can|do)\s+(my|i|we|the)\b.*\?
    | (is|are|does|did|has)\s+(any|some)(one|body)\s+(else|know|knows)
    )""",
    re.I | re.X,
)


def suggests(sentence: str) -> bool:
    """Whether the sentence asks for a change in so many words."""
    return re.search(lexicons.turns_of_phrase("suggestion"), sentence) is not None


def asks_for_help(text: str) -> bool:
    """Whether the text asks for help in so many words."""
    return _HELP.search(text) is not None
