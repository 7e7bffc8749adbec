"""Words as the matcher sees them: Unicode word segmentation on folded text.

A token is a string. One that carries a sign (`#launch`, `@acme`, `$acme`) keeps it; its `spellings` are what it
answers to. Links are no tokens. Two paths lead to the same tokens: one expression for ASCII text, and the general
one; a property test holds them together.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import regex

ANY, ONE = "\ufdd0", "\ufdd1"
"""Stand for `*` and `?` in the tokens of a query: characters that Unicode promises never to use."""

_LINK = r"(?:https?|ftp)://[^\s<>\"\x00]+|www\.[^\s<>\"\x00]+"

_ASCII_WORD = (
    r"_*[a-z0-9][a-z0-9_]*+"
    r"(?:[:.',;](?:(?<=[a-z].)(?<![,;])(?=[a-z])|(?<=[0-9].)(?<!:)(?=[0-9]))[a-z0-9_]++)*"
)
_ASCII = re.compile(
    rf"(?=[fhw])(?<![a-z0-9_])(?:{_LINK})|{_ASCII_WORD}|(?<![a-z0-9_])[#@$]{_ASCII_WORD}|\x00",
)
"""Alternatives in the order of how soon they decide: this expression is most of what matching costs."""

_E = r"\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}"
_L = rf"\p{{WB=ALetter}}\p{{WB=Hebrew_Letter}}{ANY}{ONE}"
_N = r"\p{WB=Numeric}"
_X = r"\p{WB=ExtendNumLet}"
_PICTURE = r"[\p{Extended_Pictographic}--[©®\p{L}\p{N}]]"
_WORD = (
    rf"(?:[{_X}][{_X}{_E}]*)?[{_L}{_N}][{_L}{_N}{_X}{_E}]*"
    rf"(?:(?:(?<=[{_L}][{_E}]*)[\p{{WB=MidLetter}}\p{{WB=MidNumLet}}'][{_E}]*(?=[{_L}])"
    rf"|(?<=[{_N}][{_E}]*)[\p{{WB=MidNum}}\p{{WB=MidNumLet}}'][{_E}]*(?=[{_N}])"
    rf"|(?<=\p{{WB=Hebrew_Letter}}[{_E}]*)\"[{_E}]*(?=\p{{WB=Hebrew_Letter}}))"
    rf"[{_L}{_N}{_X}{_E}]+)*"
)
_EMOJI = (
    rf"\p{{RI}}\p{{RI}}?[{_E}]*"
    rf"|{_PICTURE}[{_E}]*(?:(?<=\u200d){_PICTURE}[{_E}]*)*"
    r"|[#*]\ufe0f?\u20e3"
)
_SINGLE = rf"[\p{{L}}\p{{N}}][{_E}]*"
_GENERAL = regex.compile(
    rf"(?<![{_L}{_N}{_X}])(?:{_LINK})|(?:(?<![{_L}{_N}{_X}{_E}])[#@$])?(?:{_WORD}|{_EMOJI}|{_SINGLE})|[#*]\ufe0f?\u20e3|\x00",
    regex.V1,
)

_BASIC_PLANE = "".join(chr(code) for code in range(0x80, 0x10000) if not 0xD800 <= code <= 0xDFFF)


def _ranges(properties: str) -> str:
    """The characters of the basic plane above ASCII that have one of some properties, as ranges for `re`."""
    runs = regex.finditer(f"[{properties}]+", _BASIC_PLANE, regex.V1)
    spans = [(start, end) for run in runs for start, end in _unbroken(run.group())]
    return "".join(f"\\u{start:04x}-\\u{end:04x}" for start, end in spans)


def _unbroken(run: str) -> list[tuple[int, int]]:
    """Runs of neighbouring code points: the string of all of them leaves out the surrogates."""
    if run[0] < "\ud800" and run[-1] > "\udfff":
        return [(ord(run[0]), 0xD7FF), (0xE000, ord(run[-1]))]
    return [(ord(run[0]), ord(run[-1]))]


def _basic_expression() -> re.Pattern[str]:
    """The general expression for text whose letters lie in the basic plane: the same tokens, several times as fast."""
    extend = _ranges(_E) + "\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f"
    letter = "a-z" + _ranges(_L) + ANY + ONE
    number = "0-9" + _ranges(_N)
    joiner = "_" + _ranges(_X)
    hebrew = _ranges(r"\p{WB=Hebrew_Letter}")
    between_letters = ":.'" + _ranges(r"\p{WB=MidLetter}\p{WB=MidNumLet}")
    between_numbers = ",;.'" + _ranges(r"\p{WB=MidNum}\p{WB=MidNumLet}")
    single = _ranges(r"\p{L}\p{N}")
    picture = _ranges(_PICTURE) + _PICTURES_ABOVE
    quoted = rf"|(?<=[{hebrew}])\"[{extend}]*(?=[{hebrew}])"
    word = (
        rf"(?:[{joiner}][{joiner}{extend}]*)?(?=[{letter}{number}])"
        rf"(?:[{letter}][{letter}{extend}]*(?:[{between_letters}][{extend}]*(?=[{letter}]){quoted})?"
        rf"|[{number}][{number}{extend}]*(?:[{between_numbers}][{extend}]*(?=[{number}]))?"
        rf"|[{joiner}][{joiner}{extend}]*)+"
    )
    emoji = (
        rf"[\U0001f1e6-\U0001f1ff]{{1,2}}[{extend}]*"
        rf"|[{picture}][{extend}]*(?:(?<=\u200d)[{picture}][{extend}]*)*"
        r"|[#*]\ufe0f?\u20e3"
    )
    return re.compile(
        rf"(?=[fhw])(?<![{letter}{number}{joiner}])(?:{_LINK})|{word}"
        rf"|(?<![{letter}{number}{joiner}{extend}])[#@$](?:{word}|{emoji}|[{single}][{extend}]*)"
        rf"|{emoji}|[{single}][{extend}]*|\x00"
    )


_PICTURES_ABOVE = "".join(
    f"\\U{ord(run.group()[0]):08x}-\\U{ord(run.group()[-1]):08x}"
    for run in regex.finditer(f"{_PICTURE}+", "".join(map(chr, range(0x1F000, 0x1FB00))), regex.V1)
)
_BASIC = _basic_expression()
_BEYOND_BASIC = re.compile("[\U00010000-\U0001efff\U0001fb00-\U000e001f\U000e0080-\U0010ffff]")

_SIGNS = frozenset("#@$")
_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]")
_INVISIBLE_KEEPING_JOINERS = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]"
)
_ACCENT = re.compile("(?<!\u0438)\u0306|[\u0300-\u0305\u0307-\u036f]")
_PARTING = f"™℠{ANY}{ONE}"
_APOSTROPHES = (("\u2019", "'"), ("\u2018", "'"), ("\u201b", "'"), ("\u02bc", "'"), ("\u0307", ""))
_LINK_START = re.compile(r"(?:https?|ftp)://|www\.")


@dataclass(frozen=True, slots=True)
class Token:
    """A token and the characters of the original text it stands on."""

    text: str
    start: int
    end: int


def fold(text: str) -> str:
    """NFKC and case fold, apostrophes made straight, the dot of a folded İ dropped; ™ and ℠ part words.

    Accents stay: `plain` takes them away.
    """
    return fold_joined(_parted(text, "\x00"))


def _fold(text: str) -> str:
    if text.isascii():
        return text.lower()
    folded = _straightened(unicodedata.normalize("NFKC", text).casefold())
    return folded if unicodedata.is_normalized("NFKC", folded) else unicodedata.normalize("NFKC", folded)


def _straightened(text: str) -> str:
    """Apostrophes made straight, the dot of a folded İ dropped."""
    for character, instead in _APOSTROPHES:
        if character in text:
            text = text.replace(character, instead)
    return text


def _parted(text: str, characters: str) -> str:
    """Text with some characters made blanks."""
    for character in characters:
        if character in text:
            text = text.replace(character, " ")
    return text


def plain(text: str) -> str:
    """Folded text without accents. Marks of scripts where they are letters (kana, Indic, й) stay."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _ACCENT.sub("", unicodedata.normalize("NFD", text)))


def folded(title: str | None, text: str | None) -> str:
    """Title and text folded and without accents or invisible characters: every token's plain spelling is in it."""
    whole = f"{title}\n{text or ''}" if title else (text or "")
    if whole.isascii():
        return whole.lower()
    return substring_form(fold(whole))


def folded_all(titles: Iterable[str | None], texts: Iterable[str | None]) -> list[str]:
    """`folded` for whole columns."""
    return [folded(title, text) for title, text in zip(titles, texts, strict=True)]


def substring_form(folded_text: str) -> str:
    """What a piece of folded text looks like inside `folded`."""
    return folded_text if folded_text.isascii() else _INVISIBLE.sub("", plain(folded_text))


def tokenise(text: str) -> list[str]:
    """The tokens of a text in order; links and separators left out."""
    return clean_tokens(raw_tokens(fold(text)))


def raw_tokens(folded_text: str) -> list[str]:
    """All matches in folded text, links and \\x00 among them, not yet cleaned."""
    if folded_text.isascii():
        return _ASCII.findall(folded_text)
    return _BASIC.findall(folded_text) if is_basic(folded_text) else general_tokens(folded_text)


def is_basic(folded_text: str) -> bool:
    """Whether no letter lies beyond the basic plane."""
    return _BEYOND_BASIC.search(folded_text) is None


def general_tokens(folded_text: str) -> list[str]:
    """As `raw_tokens`, always on the general path."""
    found: list[str] = _GENERAL.findall(folded_text)
    return found


def clean_tokens(raw: Sequence[str]) -> list[str]:
    """Raw tokens without links, and without invisible characters inside."""
    return [cleaned for token in raw if (cleaned := clean(token))]


def clean(raw: str) -> str:
    """One raw token as it is compared; empty for a link or a separator."""
    if raw == "\x00" or is_link(raw):
        return ""
    if raw.isascii():
        return raw
    kept = _INVISIBLE_KEEPING_JOINERS.sub("", raw)
    return kept if _is_picture(kept) else kept.replace("\u200d", "")


def is_link(raw: str) -> bool:
    """Whether a raw token is a link."""
    return _LINK_START.match(raw) is not None and (raw[:4] == "www." or "://" in raw)


def _is_picture(token: str) -> bool:
    return not any(unicodedata.category(character)[0] in "LN" for character in token)


def spellings(token: str) -> tuple[str, ...]:
    """All that a token answers to: with and without sign, with and without accents."""
    unsigned = token[1:] if token[0] in _SIGNS and len(token) > 1 and token[1] != "\u20e3" else token
    if token.isascii():
        return (token,) if unsigned is token else (token, unsigned)
    return tuple(dict.fromkeys((token, unsigned, plain(token), plain(unsigned))))


def located(text: str) -> list[Token]:
    """The tokens of a text with the characters of the original they stand on."""
    if text.isascii():
        lowered = fold(text)
        return [Token(m.group(), m.start(), m.end()) for m in _ASCII.finditer(lowered) if clean(m.group())]
    whole, origin = _folded_with_origin(text)
    tokens = []
    for match in _GENERAL.finditer(whole):
        cleaned = clean(match.group())
        if cleaned:
            tokens.append(Token(cleaned, origin[match.start()][0], origin[match.end() - 1][1]))
    return tokens


def _folded_with_origin(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Folded text, and for each of its characters the original characters it came from."""
    pieces: list[str] = []
    origin: list[tuple[int, int]] = []
    for match in regex.finditer(r"\X", text):
        piece = fold(match.group())
        pieces.append(piece)
        if len(piece) == match.end() - match.start():
            origin.extend((at, at + 1) for at in range(match.start(), match.end()))
        else:
            origin.extend([(match.start(), match.end())] * len(piece))
    whole = "".join(pieces)
    exact = fold(text)
    if whole != exact:  # a folding that reaches over grapheme borders: keep the tokens, come close with the places
        origin = [origin[min(at, len(origin) - 1)] for at in range(len(exact))]
    return exact, origin


def links_in(text: str) -> list[str]:
    """Links that stand in a text, in the text's own spelling, closing punctuation cut."""
    if "://" not in text and "www." not in text and "WWW." not in text:
        return []
    return [link.rstrip(".,;:!?)'’…]}") for link in _LINK_IN_TEXT.findall(text)]


_LINK_IN_TEXT = re.compile(rf"(?<![A-Za-z0-9_])(?:{_LINK})", re.IGNORECASE)


def cased(text: str) -> str:
    """A piece of text as `{...}` compares it: capitals kept, accents kept, apostrophes straight."""
    if text.isascii():
        return text
    return _INVISIBLE.sub("", _straightened(unicodedata.normalize("NFKC", _parted(text, _PARTING + "\x00"))))


@lru_cache(maxsize=65_536)
def query_tokens(text: str, *, wild: bool = True) -> tuple[str, ...]:
    """Tokens of a query's term; `*` and `?` become ANY and ONE."""
    marked = _parted(text, _PARTING + "\x00")
    if wild:
        marked = marked.replace("*", ANY).replace("?", ONE)
    return tuple(clean_tokens(general_tokens(_fold(marked))))


def is_wild(term: str) -> bool:
    """Whether a query token holds a wildcard."""
    return ANY in term or ONE in term


def wildcard(term: str) -> re.Pattern[str]:
    """The expression that a spelling must match in full."""
    return re.compile(glob(term, any_run=ANY, one=ONE), re.DOTALL)


def glob(text: str, *, any_run: str = "*", one: str | None = "?", within: str = ".") -> str:
    """An expression for text with wildcards; however many there are, no piece is sought twice."""
    pieces = [
        re.escape(piece).replace(re.escape(one), within) if one else re.escape(piece) for piece in text.split(any_run)
    ]
    if len(pieces) == 1:
        return pieces[0]
    between = "".join(f"(?>{within}*?{piece})" for piece in pieces[1:-1] if piece)
    return f"{pieces[0]}{between}{within}*{pieces[-1]}"


def prefix_of(term: str) -> str:
    """What stands before the first wildcard, with its sign."""
    return re.split(f"[{ANY}{ONE}]", term, maxsplit=1)[0]


def fold_joined(text: str) -> str:
    """`fold` for texts joined with \\x00, which stays."""
    return text.lower() if text.isascii() else _fold(_parted(text, _PARTING))


_HASHTAG = regex.compile(r"(?<![\w&#＃])[#＃]([\w\p{M}]+)")
_MENTION = regex.compile(r"(?<![\w@＠./])[@＠](\w[\w.-]*(?:@[\w.-]+)?)")
_CLOSERS = r"[\"'”’»)\]]*"
_SENTENCE_END = regex.compile(
    rf"[.!?…؟।]*[!?؟।][.!?…؟।]*{_CLOSERS}(?=\s|\Z)|[.…]+{_CLOSERS}(?=\s+(?!\p{{Ll}})|\s*\Z)|[。！？｡]+[」』”]*|[\n\r\u2028\u2029]+"
)


def hashtags_in(text: str) -> list[str]:
    """Hashtags that stand in a text, without #, as written."""
    return [str(tag) for tag in _HASHTAG.findall(text)] if "#" in text or "＃" in text else []


def mentions_in(text: str) -> list[str]:
    """Handles that stand in a text, without @, as written."""
    if "@" not in text and "＠" not in text:
        return []
    return [str(handle).rstrip(".-") for handle in _MENTION.findall(text)]


def sentence_spans(text: str, located: Sequence[Token]) -> list[tuple[int, int]]:
    """The tokens of each sentence, as first and one after the last; sentences without tokens are left out.

    A sentence ends at . ! ? … before a blank (a full stop before a small letter ends none), at 。！？ and at the end of
    a line.
    """
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    spans, first, at = [], 0, 0
    for end in [*ends, len(text) + 1]:
        while at < len(located) and located[at].start < end:
            at += 1
        if at > first:
            spans.append((first, at))
        first = at
    return spans
