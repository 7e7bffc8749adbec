"""Whom a note names: @name, @first.last or @address of a member. Pure."""

import re
from collections.abc import Iterable

MENTION = re.compile(r"(?<![\w@.])@([\w.+-]+(?:@[\w-]+(?:\.[\w-]+)+)?)")


def handle_of(name: str, email: str) -> str:
    """What a member is called in notes: the part of the address before the @."""
    return email.partition("@")[0].casefold()


def mentioned(text: str, members: Iterable[tuple[int, str, str]]) -> list[int]:
    """Numbers of the members (number, name, e-mail address) that a text names, in the order of reading."""
    known: dict[str, int] = {}
    for number, name, email in members:
        for handle in (email.casefold(), name.casefold().replace(" ", "."), name.casefold().split(" ")[0]):
            if handle:
                known.setdefault(handle, number)
        known[handle_of(name, email)] = number
    found = [known.get(each[1].rstrip(".").casefold()) for each in MENTION.finditer(text)]
    return list(dict.fromkeys(number for number in found if number is not None))
