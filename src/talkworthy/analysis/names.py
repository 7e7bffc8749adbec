"""Names in any script, made comparable: folded, without accents, and spelt in Latin letters. Pure.

Syllables and letters of most scripts say in their Unicode name how they are read (HIRAGANA LETTER KA, HANGUL
SYLLABLE GIM); alphabets whose letters have names of their own (EN, ALPHA, ALEF) have a table. Chinese characters have
no one reading, and are compared as they are.
"""

import re
import unicodedata
from functools import lru_cache


def _alphabet(letters: str, readings: str) -> dict[str, str]:
    return dict(zip(letters, readings.split(" "), strict=True))


_CYRILLIC = _alphabet(
    "абвгґдеёєжзиіїйкклмнопрстуўфхцчшщъыьэюяђћјљњџѓќѕәөүұқғңһ",
    "a b v g g d e e ie zh z i i i i k k l m n o p r s t u u f kh ts ch sh shch - y - e iu ia"
    " dj c j lj nj dz g k dz a o u u q g n h",
)
_GREEK = _alphabet("αβγδεζηθικλμνξοπρσςτυφχψω", "a v g d e z i th i k l m n x o p r s s t y f ch ps o")
_ARABIC = _alphabet(
    "ابتثجحخدذرزسشصضطظعغفقكلمنهويىةءآأإؤئپچژگکی",
    "a b t th j h kh d dh r z s sh s d t z - gh f q k l m n h w y a a - a a a w y p ch zh g k y",
)
_HEBREW = _alphabet("אבגדהוזחטיכךלמםנןסעפףצץקרשת", "a b g d h v z h t y k k l m m n n s - p p ts ts k r sh t")
_LATIN = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ı": "i", "ħ": "h"}
_TABLE = {
    letter: "" if reading == "-" else reading
    for letter, reading in {**_CYRILLIC, **_GREEK, **_ARABIC, **_HEBREW, **_LATIN}.items()
}
_NAMED = re.compile(
    r"(?P<script>[A-Z ]+?) (?:LETTER|SYLLABLE|VOWEL SIGN|SMALL LETTER)(?: SMALL)? (?P<reading>[A-Z]{1,5})(?: .*)?"
)
_VOWEL_SIGN = re.compile(r"[A-Z ]+ VOWEL SIGN (?P<reading>[A-Z]{1,3})(?: .*)?")
_SYLLABIC = ("HIRAGANA", "KATAKANA", "HANGUL", "ETHIOPIC")
_ABUGIDAS = ("DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL", "TELUGU", "KANNADA", "MALAYALAM")


def folded_name(name: str) -> str:
    """A name without what differs by habit: width, case, accents, signs; words one blank apart."""
    kept = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", name).casefold())
    letters = (letter if not unicodedata.combining(letter) or _is_vowel(letter) else "" for letter in kept)
    spelt = "".join(letter if _belongs(letter) else " " for letter in letters if letter)
    return unicodedata.normalize("NFC", " ".join(spelt.split()))


def holds_name(text: str, name: str) -> bool:
    """Whether a folded text holds a folded name as whole words, never as a part of another word.

    Where a script sets no blanks (Chinese, Japanese, Thai …) whole characters do. In Korean the name begins a word, and
    endings may follow it.
    """
    start = text.find(name) if name else -1
    while start >= 0:
        end = start + len(name)
        if _begins_word(text, start) and _ends_word(text, end):
            return True
        start = text.find(name, start + 1)
    return False


def name_length(name: str) -> int:
    """How many characters a reader counts in a folded name, without its signs and blanks."""
    return sum(letter.isalnum() for letter in name)


def _begins_word(text: str, at: int) -> bool:
    if at == 0 or text[at - 1] == " ":
        return True
    before, letter = text[at - 1], text[at]
    return _has_no_blanks(before) or _has_no_blanks(letter) or _is_hangul(before) != _is_hangul(letter)


def _ends_word(text: str, at: int) -> bool:
    if at == len(text) or text[at] == " ":
        return True
    letter, after = text[at - 1], text[at]
    if unicodedata.category(after)[0] == "M":
        return False  # a sign that belongs to the last character: another one
    return _has_no_blanks(after) or _has_no_blanks(letter) or _is_hangul(after) or _is_hangul(letter)


_NO_BLANKS = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN", "IDEOGRAPHIC")


@lru_cache(maxsize=20_000)
def _has_no_blanks(letter: str) -> bool:
    return not letter.isascii() and unicodedata.name(letter, "").startswith(_NO_BLANKS)


def _is_hangul(letter: str) -> bool:
    return "\uac00" <= letter <= "\ud7a3"


@lru_cache(maxsize=200_000)
def latin_name(name: str) -> str:
    """A name as it may be spelt in Latin letters: Наталья and Natalia come close, 김 is gim."""
    folded = folded_name(name)
    return folded if folded.isascii() else " ".join("".join(_readings(word)) for word in folded.split())


def skeleton(name: str) -> str:
    """The sounds of a name that spellings in another script keep: consonants, without doubles and vowels."""
    words = latin_name(name)
    for spelling, sound in _SPELLINGS:
        words = words.replace(spelling, sound)
    bare = re.sub(r"[aeiouyhw' ]", "", words)
    return re.sub(r"(.)\1+", r"\1", bare)


_SPELLINGS = (
    ("tsch", "c"), ("shch", "s"), ("sch", "s"), ("sh", "s"), ("tch", "c"), ("ch", "c"), ("kh", "k"), ("ck", "k"),
    ("ph", "f"), ("th", "t"), ("zh", "z"), ("gh", "g"), ("dj", "j"), ("x", "ks"), ("q", "k"), ("ts", "z"), ("dz", "z"),
)  # fmt: skip


def _readings(word: str) -> list[str]:
    """The reading of each letter; an inherent vowel goes where a sign replaces or silences it."""
    read: list[str] = []
    for letter in unicodedata.normalize("NFD", word) if _is_indic(word) else word:
        sign = _VOWEL_SIGN.fullmatch(unicodedata.name(letter, ""))
        is_virama = "VIRAMA" in unicodedata.name(letter, "")
        if (sign or is_virama) and read and read[-1].endswith("a"):
            read[-1] = read[-1][:-1]
        if sign:
            read.append(sign["reading"].lower())
        elif not is_virama:
            read.append(_reading(letter))
    if read and len(read) > 1 and _is_indic(word) and read[-1].endswith("a") and len(read[-1]) > 1:
        read[-1] = read[-1][:-1]
    return read


def _reading(letter: str) -> str:
    if letter.isascii():
        return letter
    if letter in _TABLE:
        return _TABLE[letter]
    bare = unicodedata.normalize("NFD", letter)[0]
    if bare != letter and (bare.isascii() or bare in _TABLE):
        return bare if bare.isascii() else _TABLE[bare]
    named = _NAMED.fullmatch(unicodedata.name(letter, ""))
    return named["reading"].lower() if named and named["script"].startswith((*_SYLLABIC, *_ABUGIDAS)) else letter


def _is_indic(word: str) -> bool:
    return unicodedata.name(word[0], "").startswith(_ABUGIDAS)


def _is_vowel(letter: str) -> bool:
    """Signs that are part of a syllable: vowel signs and viramas, and the voicing of kana."""
    name = unicodedata.name(letter, "")
    return "VOWEL SIGN" in name or "VIRAMA" in name or "VOICED SOUND" in name or unicodedata.category(letter) == "Mc"


def _belongs(letter: str) -> bool:
    return letter.isalnum() or unicodedata.category(letter)[0] == "M"
