"""Links, hashtags and mentions in a post's text, where the channel has not told them."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import regex

_LINK = regex.compile(r"(?:https?://|(?<![\w@./])www\.)[^\s<>\"“”„«»{}|\\^`\u3000-\u303f\uff01-\uff5e]+", regex.I)
_TAIL = ".,;:!?…'’”\"*_~"
_HASHTAG = regex.compile(r"(?<![\w&/#])[#＃](?=\w*[\p{L}\p{So}])([\p{L}\p{M}\p{N}_\p{So}]+)")
_MENTION = regex.compile(r"(?<![\w@/.])@([\w](?:[\w.\-]*\w)?(?:@[\w\-]+(?:\.[\w\-]+)+)?)")


def links(text: str) -> list[str]:
    """Addresses in a text, each once, in order; closing signs of the sentence around them are not part of them."""
    found: dict[str, None] = {}
    for match in _LINK.finditer(text):
        address = _trimmed(match.group())
        if "." in address:
            found[address if "://" in address else f"http://{address}"] = None
    return list(found)


def _trimmed(address: str) -> str:
    while address:
        last = address[-1]
        if (
            last in _TAIL
            or (last == ")" and address.count(")") > address.count("("))
            or (last == "]" and "[" not in address)
        ):
            address = address[:-1]
        else:
            break
    return address


def hashtags(text: str) -> list[str]:
    """Hashtags as written, without the sign, each once; a number alone is not one."""
    return list(dict.fromkeys(match.group(1) for match in _HASHTAG.finditer(_without_links(text))))


def mentions(text: str) -> list[str]:
    """Handles as written, without the first @, each once; an e-mail address is not one."""
    return list(dict.fromkeys(match.group(1) for match in _MENTION.finditer(_without_links(text))))


def _without_links(text: str) -> str:
    return _LINK.sub(" ", text) if "://" in text or "www." in text.lower() else text


class Extraction:
    """Fills `links`, `hashtags` and `mentions` where they are null; what a channel told is kept."""

    name = "extraction"
    requires = ("text", "links", "hashtags", "mentions")
    assigns = ("links", "hashtags", "mentions")

    def annotate(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with the three columns free of nulls."""
        texts = batch.column("text")
        marks = {
            "links": pc.match_substring_regex(texts, r"(?i)https?://|www\."),
            "hashtags": pc.match_substring_regex(texts, "[#＃]"),
            "mentions": pc.match_substring(texts, "@"),
        }
        readers = {"links": links, "hashtags": hashtags, "mentions": mentions}
        written: Sequence[str | None] | None = None
        for column, read in readers.items():
            held = batch.column(column)
            if not held.null_count:
                continue
            wanted = pc.and_(held.is_null(), marks[column].fill_null(False)).to_pylist()
            written = texts.to_pylist() if written is None else written
            missing = held.is_null().to_pylist()
            told = held.to_pylist() if held.null_count < len(held) else [None] * len(held)
            values = [
                (read(text or "") if wanted[row] else []) if missing[row] else told[row]
                for row, text in enumerate(written)
            ]
            place = batch.schema.get_field_index(column)
            batch = batch.set_column(place, batch.schema.field(place), pa.array(values, held.type))
        return batch
