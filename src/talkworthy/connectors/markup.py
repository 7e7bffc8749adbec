"""HTML from outside, made safe or plain; the addresses in it.

Everything passes the parser of nh3 first: it reads what browsers read, in time that grows with the length only.
"""

import html as entities
import re
from collections import Counter
from urllib.parse import urljoin, urlsplit

import nh3
import pyarrow as pa

MAX_CHARACTERS = 500_000
"""What lies beyond is cut: no post is that long, but a hostile document may be."""
MAX_DEPTH = 256
"""HTML nested deeper loses its tags: the time that a parser takes grows with length times depth."""

_BLOCKS = frozenset(
    (
        "address", "article", "aside", "blockquote", "dd", "details", "dialog", "div", "dl", "dt", "fieldset",
        "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main",
        "nav", "ol", "p", "pre", "section", "summary", "table", "tr", "ul",
    )
)  # fmt: skip
_APART = frozenset(("blockquote", "dl", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul"))
_SILENT = frozenset(
    (
        "script", "style", "template", "head", "title", "noscript", "iframe", "object", "svg", "math", "textarea",
        "select",
    )
)  # fmt: skip
_SAFE = frozenset(
    (
        "a", "abbr", "b", "bdi", "bdo", "blockquote", "br", "cite", "code", "dd", "del", "div", "dl", "dt", "em",
        "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "mark", "ol",
        "p", "pre", "q", "rp", "rt", "ruby", "s", "samp", "small", "span", "strong", "sub", "sup", "table", "tbody",
        "td", "tfoot", "th", "thead", "time", "tr", "u", "ul", "var", "wbr",
    )
)  # fmt: skip
_ATTRIBUTES = {
    "*": {"lang", "dir"},
    "a": {"href", "title", "hreflang"},
    "abbr": {"title"},
    "blockquote": {"cite"},
    "img": {"src", "alt", "title", "width", "height"},
    "ol": {"start"},
    "q": {"cite"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "time": {"datetime"},
}
_WORDS = set(_BLOCKS | {"br", "td", "th"})
_CLOSED_FOR_YOU = frozenset(
    (
        "area", "base", "br", "col", "dd", "dt", "embed", "hr", "img", "input", "li", "link", "meta", "option", "p",
        "source", "td", "th", "tr", "track", "wbr",
    )
)  # fmt: skip
_OPENING = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]*)")
_LONE_AMPERSAND = re.compile(r"&(?![a-zA-Z#])")
_TAG = re.compile(r"<(/?)([a-z0-9]+)[^>]*>")
_BLANK = re.compile(r"[ \t\r\n\f\xa0]+")
_BARE = re.compile(r"https?://[^\s<>\"'`{}|\\^]+", re.IGNORECASE)


def clean(html: str, *, base: str | None = None) -> str:
    """The HTML without anything that runs, styles or frames; links tell the other site nothing about us.

    Relative addresses become absolute where `base` is given; without it they are dropped.
    """
    known = absolute(base)
    return nh3.clean(
        shortened(html),
        tags=set(_SAFE),
        attributes=_ATTRIBUTES,
        clean_content_tags=set(_SILENT),
        url_schemes={"http", "https", "mailto"},
        url_relative=("rewrite_with_base", known) if known else "deny",
        link_rel="noopener noreferrer nofollow ugc",
    )


def cleaned(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A batch of posts whose `html` is clean: what others hand us as a post is HTML from outside, too."""
    place = batch.schema.get_field_index("html")
    given = batch.column(place)
    if given.null_count == len(given):
        return batch
    safe = [None if html is None else clean(html) for html in given.to_pylist()]
    return batch.set_column(place, batch.schema.field(place), pa.array(safe, pa.string()))


def plain(html: str) -> str:
    """The words of some HTML: blocks on lines of their own, entities read, at most one empty line in between."""
    simple = nh3.clean(shortened(html), tags=_WORDS, attributes={}, clean_content_tags=set(_SILENT), link_rel=None)
    text: list[str] = []
    breaks, pre, at = 0, 0, 0
    for tag in _TAG.finditer(simple):
        breaks = _say(text, simple[at : tag.start()], breaks, pre=pre > 0)
        at = tag.end()
        closes, name = tag[1] == "/", tag[2]
        if name == "br":
            text.append("\n")
        elif name in _BLOCKS:
            breaks = max(breaks, 2 if name in _APART else 1)
            if name == "pre":
                pre += -1 if closes else 1
            elif name == "li" and not closes:
                breaks = _say(text, "- ", breaks, pre=True)
        elif not closes and text:
            breaks = _say(text, " ", breaks, pre=True)
    _say(text, simple[at:], breaks, pre=pre > 0)
    joined = re.sub(r"[ \t]+(?=\n)|(?<=\n) (?! )", "", "".join(text))
    return re.sub(r"\n{3,}", "\n\n", joined).strip()


def _say(text: list[str], words: str, breaks: int, *, pre: bool) -> int:
    """Append words after the line breaks that stand before them; the breaks that stand open then."""
    words = entities.unescape(words)
    words = words if pre else _BLANK.sub(" ", words)
    if not words.strip() and (breaks or not words):
        return breaks
    if breaks and text:
        text.append("\n" * breaks)
    text.append(words.lstrip(" ") if breaks and not pre else words)
    return 0


def links(html: str, base: str | None = None) -> list[str]:
    """Addresses in some HTML or plain text, absolute, http and https only, each once, in their order."""
    simple = nh3.clean(
        shortened(html),
        tags={"a"},
        attributes={"a": {"href"}},
        clean_content_tags=set(_SILENT),
        url_relative="pass_through",
        link_rel=None,
    )
    found: list[str] = []
    for part in re.split(r"(<a\b[^>]*>.*?</a>)", simple, flags=re.DOTALL):
        if part.startswith("<a"):
            target = re.match(r"<a href=\"([^\"]*)\"", part)
            found.append(absolute(entities.unescape(target[1]), base) or "" if target else "")
        else:
            found.extend(addresses(entities.unescape(part)))
    return list(dict.fromkeys(filter(None, found)))


def addresses(text: str) -> list[str]:
    """Addresses written out in plain text, without the full stop or bracket of the sentence around them."""
    return [found for match in _BARE.findall(text) if (found := absolute(_without_tail(match)))]


def site(url: str | None) -> str | None:
    """The host of an address, lower case, without www.; None where there is none."""
    try:
        host = urlsplit(url or "").hostname
    except ValueError:
        return None
    return (storable(host).removeprefix("www.") or None) if host else None


def absolute(url: str | None, base: str | None = None) -> str | None:
    """An http or https address, joined with `base`; None for any other."""
    if not url:
        return None
    try:
        joined = urljoin(base or "", url.strip())
        parts = urlsplit(joined)
    except ValueError:
        return None
    return storable(joined) if parts.scheme.lower() in ("http", "https") and parts.netloc else None


def storable(text: str) -> str:
    """The text without U+0000 and lone surrogates, which stores refuse."""
    return text.replace("\x00", "").encode("utf-8", "ignore").decode()


def shortened(html: str) -> str:
    """The HTML as far as a parser may be given it: of bounded length and depth."""
    short = _LONE_AMPERSAND.sub("&amp;", storable(html[:MAX_CHARACTERS]))
    return re.sub(r"<[^<>]*>", " ", short) if depth(short) > MAX_DEPTH else short


def depth(html: str) -> int:
    """How deep tags are nested at most; 0 where there are too few to matter."""
    if html.count("<") <= MAX_DEPTH:
        return 0
    opened: Counter[str] = Counter()
    depth = deepest = 0
    for closes, name in _OPENING.findall(html.lower()):
        step = (-1 if opened[name] else 0) if closes else 1
        if step and name not in _CLOSED_FOR_YOU:
            opened[name] += step
            depth += step
            deepest = max(deepest, depth)
    return deepest


def _without_tail(address: str) -> str:
    address = address.rstrip(".,;:!?…»”’*")
    surplus = address.count(")") - address.count("(")
    brackets = len(address) - len(address.rstrip(")"))
    return address[: len(address) - min(surplus, brackets)].rstrip(".,;:!?…") if surplus > 0 and brackets else address
