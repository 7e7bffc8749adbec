"""Rules that label plain sentences where no set may be trained on: suggestions and requests for help.

They are labels for training, seldom wrong and often silent; the head learns from them what stands beside
their words.
"""

import re

_SUGGESTS = re.compile(
    r"""\b(
      (please|pls|plz|kindly)\s+(\w+\s+)?(add|allow|make|fix|include|provide|implement|consider|bring|give|enable|support|let|change|improve|create|update|put|introduce|expose|remove)
    | (would|it'?d|will)\s+(also\s+|really\s+|be\s+)?(be\s+)?(really\s+|so\s+|very\s+|extremely\s+|super\s+)?(nice|great|good|awesome|helpful|useful|cool|lovely|better|fantastic|perfect|amazing|handy|ideal|beneficial)(\s+(if|to|for|when))?
    | (i|we)\s+(would|'d)\s+(really\s+|also\s+)?(like|love|suggest|recommend|appreciate|prefer)
    | (i'd|we'd)\s+(really\s+|also\s+)?(like|love|suggest|recommend|appreciate|prefer)
    | (i|we)\s+(wish|propose|suggest|recommend|request|want)\b
    | (i|we)\s+hope\s+(you|they|that)
    | (should|could|must|ought\s+to)\s+(also\s+|really\s+|at\s+least\s+|either\s+)?(be|have|allow|provide|support|let|include|offer|make|add|give|show|enable|use|implement)\b
    | (needs?|needed)\s+(to|an?|more|better|some)\b
    | (can|could)\s+(you|we|it|microsoft|google|they)\s+(please\s+)?(add|have|make|get|support|include|provide|implement|allow|bring|consider)
    | (add|allow|enable|provide|implement|support|introduce|include|make\s+it\s+possible|let\s+us|let\s+me|give\s+us|bring\s+back)\s+(an?|the|support|option|ability|more|users?|us|developers?|some|for|to|us|me|it)\b
    | (feature|enhancement|change)\s+request
    | suggestions?\b
    | why\s+not\b | why\s+(don'?t|can'?t|doesn'?t)\s+(you|we|they|it)
    | (how|what)\s+about\b
    | (ability|option|support)\s+(to|for)\b
    | instead\s+of\b.*\b(should|could|would|make|use)
    | it\s+(is|would\s+be)\s+(better|best)\s+(to|if)
    | (if\s+only) | looking\s+forward\s+to\s+(see|have)
    )""",
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
