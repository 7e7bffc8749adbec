"""Rules that label plain sentences where no set may be trained on: suggestions and requests for help.

They are labels for training, seldom wrong and often silent; the head learns from them what stands beside
their words.
"""

import re

_CHANGE = (
    "add|allow|make|fix|include|provide|implement|consider|bring|give|enable|support|let|change|improve|create|update"
    "|put|introduce|expose|remove|extend|offer|open|release|show|get|use|move|separate|reduce|increase|simplify"
    "|integrate|unify|replace|expand|keep|stop|do|have"
)
_WELCOME = (
    "nice|great|good|awesome|helpful|useful|cool|lovely|better|fantastic|perfect|amazing|handy|ideal|beneficial"
    "|love|like|appreciate|help"
)
_SUGGESTS = re.compile(
    rf"""
      please\s+(?!help|note|see|find|check|contact|refer|read|follow|provide|describe)\w+
    | ^\W*(please\s+)?({_CHANGE})\s
    | \b(should|could)\s+(also\s+|really\s+|at\s+least\s+|either\s+)?
      (be|have|allow|provide|support|let|include|offer|make|add|give|show|enable|use)\b
    | \bwould\s+(be\s+)?(\w+\s+)?({_WELCOME})\b
    | \b(i|we)'d\s+(\w+\s+)?(like|love|suggest|recommend|appreciate|prefer)\b
    | \b(i|we)\s+(wish|propose|suggest|recommend|request)\b
    | \b(can|could)\s+you\s+(please\s+)?(add|make|support|include|provide|implement|allow|bring|consider)\b
    | \badd\s+(an?|the|support|option|more|some)\b
    | \bneeds?\s+to\s+be\b | ^\W*(we|i|developers|users)\s+need\b
    | \bsuggestion\s+(is|would|:) | \bbetter\s+if\b | \bfeature\s+request\b
    | ^\W*(would|could|should|will)\s
    """,
    re.I | re.X,
)
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
    return _SUGGESTS.search(sentence) is not None


def asks_for_help(text: str) -> bool:
    """Whether the text asks for help in so many words."""
    return _HELP.search(text) is not None
