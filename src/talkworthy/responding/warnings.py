"""What is wrong with a reply before it goes out, each with the words that are meant and what to do. Pure.

`stops` marks what cannot go out at all; everything else is a warning that a person may overrule.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import regex

from talkworthy.analysis import lexicons
from talkworthy.analysis.extraction import links
from talkworthy.analysis.language import detector
from talkworthy.connectors.contract import SendingLimits
from talkworthy.connectors.lengths import length_of
from talkworthy.query import tokens
from talkworthy.responding.snippets import unfilled

OPEN = ("public", "unlisted", "members")
"""Who sees it: more than the person."""


class Kind(StrEnum):
    """What is wrong."""

    TOO_LONG = "too long"
    UNFILLED = "unfilled variable"
    NO_SUBJECT = "no subject"
    NO_ALT = "no description of a file"
    ASKS_PERSONAL = "asks for personal data in public"
    TELLS_PERSONAL = "tells personal data in public"
    OTHER_LANGUAGE = "another language than theirs"
    SHOUTS = "shouts"
    STRANGE_LINK = "a link that nobody of us wrote"


STOPS = frozenset({Kind.TOO_LONG, Kind.UNFILLED, Kind.NO_SUBJECT})


@dataclass(frozen=True)
class Warned:
    """One thing that is wrong. `start` and `end` are where in the text (0, 0: everywhere); `what` names it closer."""

    kind: Kind
    start: int = 0
    end: int = 0
    what: str = ""
    numbers: tuple[int, ...] = ()

    @property
    def stops(self) -> bool:
        """Whether it cannot go out like this."""
        return self.kind in STOPS


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What is looked at. `whole` is the text with the lines that are added when it leaves."""

    text: str
    whole: str
    subject: str = ""
    visibility: str = "public"
    their_language: str = ""
    alts: Sequence[str] = ()
    """The description of each file."""
    machine: bool = False
    known_links: frozenset[str] = frozenset()
    """Links that we wrote ourselves, in snippets or guidance: the others are strange in a machine's text."""


def warnings_of(reply: Reply, limits: SendingLimits) -> tuple[Warned, ...]:
    """Everything that is wrong, what stops it first."""
    found = [*_formal(reply, limits), *_language(reply), *_shouting(reply.text)]
    if reply.visibility in OPEN:
        found += [*_asked(reply.text), *_told(reply.text)]
    if reply.machine:
        found += _strange_links(reply)
    return tuple(sorted(found, key=lambda one: (not one.stops, one.start)))


def _formal(reply: Reply, limits: SendingLimits) -> Iterator[Warned]:
    long = length_of(reply.whole, limits)
    if limits.characters is not None and long > limits.characters:
        yield Warned(Kind.TOO_LONG, numbers=(long, limits.characters))
    if limits.subject and not reply.subject.strip():
        yield Warned(Kind.NO_SUBJECT)
    for start, end in unfilled(reply.text):
        yield Warned(Kind.UNFILLED, start, end, reply.text[start:end])
    if limits.alt_text:
        missing = sum(not alt.strip() for alt in reply.alts)
        if missing:
            yield Warned(Kind.NO_ALT, numbers=(missing,))


def _language(reply: Reply) -> Iterator[Warned]:
    theirs = reply.their_language.partition("-")[0]
    if not theirs or len(reply.text) < 20:
        return
    ours, _chance, sure = detector().best([reply.text])[0]
    if sure and ours and ours != theirs:
        yield Warned(Kind.OTHER_LANGUAGE, what=f"{ours} {theirs}")


_WORD = regex.compile(r"\p{L}{2,}")
_MARKS = regex.compile(r"[!¡！]{3,}|[?？]{3,}|(?:[!?]){4,}")


def _shouting(text: str) -> Iterator[Warned]:
    """Three words in a row in capitals, or many marks; scripts without capitals cannot shout so."""
    run: list[regex.Match[str]] = []
    for word in [*_WORD.finditer(text), None]:
        loud = word is not None and word[0].isupper() and word[0].lower() != word[0] and len(word[0]) > 2
        if loud and word is not None:
            run.append(word)
            continue
        if len(run) >= 3:
            yield Warned(Kind.SHOUTS, run[0].start(), run[-1].end())
        run = []
    for marks in _MARKS.finditer(text):
        yield Warned(Kind.SHOUTS, marks.start(), marks.end())


_SENTENCE = regex.compile(r"[^.!?\n。！？؟]+[.!?。！？؟]*")
_ASKING = regex.compile(r"[?？؟;]$")


def _asked(text: str) -> Iterator[Warned]:
    """A sentence that names a kind of personal data, and asks: by a mark, or by a word of asking.

    One that names a private way, such as a direct message, asks for it there.
    """
    for sentence in _SENTENCE.finditer(text):
        folded = tokens.folded(None, sentence[0])
        groups = _phrases()
        asks = bool(_ASKING.search(sentence[0].strip())) or groups["ask"].search(folded) is not None
        if not asks or groups["private"].search(folded):
            continue
        for name, phrases in groups.items():
            if name not in ("ask", "private") and phrases.search(folded):
                start = sentence.start() + len(sentence[0]) - len(sentence[0].lstrip())
                yield Warned(Kind.ASKS_PERSONAL, start, sentence.end(), name)
                break


@cache
def _phrases() -> Mapping[str, regex.Pattern[str]]:
    """The phrases of all languages, by kind of data, as one expression each over folded text."""
    gathered: dict[str, list[str]] = {}
    for language in lexicons.languages("personal"):
        kind = ""
        for line, _weight in lexicons.entries(language, "personal"):
            if line.startswith("@"):
                kind = line[1:]
                continue
            star = line.endswith("*")
            folded = regex.escape(tokens.folded(None, line.rstrip("*")).strip())
            gathered.setdefault(kind, []).append(folded + (r"\w*" if star else ""))
    return {kind: regex.compile(rf"(?<!\w)(?:{'|'.join(lines)})(?!\w)") for kind, lines in gathered.items()}


_EMAIL = regex.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_PHONE = regex.compile(r"(?<![\w/.@#-])(?:\+|00)?\(?\d[\d ()/.-]{6,18}\d(?![\w-])")
_IBAN = regex.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_DIGITS = regex.compile(r"\D")
_NUMBER = regex.compile(r"(?<![\w/])[A-Z]{0,4}-?\d[\d-]{4,}\d(?!\w)")


def _told(text: str) -> Iterator[Warned]:
    """Addresses, telephone and card numbers, bank accounts, and numbers of orders where the sentence names one."""
    plain = text
    for address in links(text):
        plain = plain.replace(address, " " * len(address))
    taken: list[tuple[int, int]] = []

    def new(match: "regex.Match[str]") -> bool:
        free = all(match.end() <= start or match.start() >= end for start, end in taken)
        if free:
            taken.append(match.span())
        return free

    for match in _EMAIL.finditer(plain):
        if new(match) and plain[match.start() - 1 : match.start()] != "@":
            yield _telling(match, "email")
    for match in _IBAN.finditer(plain):
        if _is_iban(match[0]) and new(match):
            yield _telling(match, "payment")
    for sentence in _SENTENCE.finditer(plain):
        if _phrases()["order"].search(tokens.folded(None, sentence[0])):
            for match in _NUMBER.finditer(plain, sentence.start(), sentence.end()):
                if new(match):
                    yield _telling(match, "order")
    for match in _PHONE.finditer(plain):
        digits = _DIGITS.sub("", match[0])
        if not new(match):
            continue
        if 13 <= len(digits) <= 19 and _is_card(digits):
            yield _telling(match, "payment")
        elif 8 <= len(digits) <= 15 and (match[0][0] in "+(0" or " " in match[0]) and not _is_date(match[0]):
            yield _telling(match, "phone")


def _telling(match: "regex.Match[str]", what: str) -> Warned:
    return Warned(Kind.TELLS_PERSONAL, match.start(), match.end(), what)


def _is_iban(text: str) -> bool:
    plain = text.replace(" ", "")
    turned = "".join(str(int(sign, 36)) for sign in plain[4:] + plain[:4])
    return 15 <= len(plain) <= 34 and int(turned) % 97 == 1


def _is_card(digits: str) -> bool:
    total = 0
    for place, sign in enumerate(reversed(digits)):
        doubled = int(sign) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


_DATE = regex.compile(r"\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{2,4}")


def _is_date(text: str) -> bool:
    return _DATE.match(text) is not None


def _strange_links(reply: Reply) -> Iterator[Warned]:
    for address in links(reply.text):
        if address not in reply.known_links:
            start = reply.text.find(address)
            yield Warned(Kind.STRANGE_LINK, start, start + len(address), address)
