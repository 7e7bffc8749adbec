"""From one box to a monitor and its sources: what a name, an address, a handle or a hashtag stands for. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

FEDIVERSE = re.compile(r"@?(?P<user>[\w.-]+)@(?P<server>[\w-]+(?:\.[\w-]+)+)")
HANDLE = re.compile(r"@(?P<handle>[\w-]+(?:\.[\w-]+)*)")
HASHTAG = re.compile(r"#(?P<tag>\w+)")
SITE = re.compile(r"(?:https?://)?(?P<host>[\w-]+(?:\.[\w-]+)+)(?P<path>/\S*)?", re.IGNORECASE)

LARGE_SERVER = "https://mastodon.social"
"""The fediverse server that knows most hashtags; it answers without an account."""

LONGEST = 200


@dataclass(frozen=True)
class Proposal:
    """A source that could be made: `chosen` where it costs little and needs nothing more."""

    connector: str
    name: str
    about: str
    settings: Mapping[str, Any]
    keep: str = "all"
    chosen: bool = True


@dataclass(frozen=True)
class Followed:
    """What was understood, as a monitor and the sources that bring its mentions."""

    kind: str
    """In words: a name, a site, an account, a hashtag."""
    name: str
    query: str
    proposals: tuple[Proposal, ...]


def understood(words: str) -> Followed | None:
    """What the words stand for; None where they say nothing."""
    words = " ".join(words.split())[:LONGEST]
    if found := HASHTAG.fullmatch(words):
        return _hashtag(found["tag"])
    if found := FEDIVERSE.fullmatch(words):
        return _account_of_a_server(found["user"], found["server"].lower())
    if found := HANDLE.fullmatch(words):
        return _handle(found["handle"])
    if found := SITE.fullmatch(words):
        return _site(words if "://" in words else f"https://{words}", found["path"] or "")
    return _name(words) if any(letter.isalnum() for letter in words) else None


def quoted(words: str) -> str:
    """Words as a term of the query language: a bare word where it is one, a phrase otherwise."""
    plain = words.replace('"', " ").strip()
    is_bare = re.fullmatch(r"\w+", plain) and plain not in {"AND", "OR", "NOT", "NEAR", "ONEAR"}
    return plain if is_bare else f'"{plain}"'


def _name(name: str) -> Followed:
    tag = "".join(part for part in re.split(r"\W+", name) if part)
    query = quoted(name)
    if tag.casefold() != name.casefold():
        query = f"{query} OR {tag}"
    return Followed(_("a name"), name, query, (_hacker_news(query.split(" OR ")[0]), _hashtag_of(tag), _everything()))


def _hashtag(tag: str) -> Followed:
    return Followed(_("a hashtag"), f"#{tag}", f"#{tag}", (_hashtag_of(tag), _everything()))


def _account_of_a_server(user: str, server: str) -> Followed:
    account = f"{user}@{server}"
    own = Proposal(
        connector="mastodon",
        name=f"@{account}",
        about=_("What this account writes, as its own server tells it."),
        settings={"server": f"https://{server}", "what": "account", "accounts": [account]},
    )
    query = f"mention:{quoted(user)} OR author:{quoted(user)}"
    return Followed(_("an account of the fediverse"), f"@{account}", query, (own, _hashtag_of(user)))


def _handle(handle: str) -> Followed:
    query = f"mention:{quoted(handle)} OR author:{quoted(handle)}"
    if "." not in handle:
        proposals = (_hacker_news(quoted(handle)), _hashtag_of(handle), _everything())
        return Followed(_("a handle"), f"@{handle}", query, proposals)
    own = Proposal(
        connector="bluesky",
        name=f"@{handle}",
        about=_("What this account writes on Bluesky."),
        settings={"way": "author", "actors": [handle]},
    )
    return Followed(_("an account of Bluesky"), f"@{handle}", query, (own, _everything()))


def _site(address: str, path: str) -> Followed:
    host = (urlsplit(address).hostname or "").removeprefix("www.")
    feed = Proposal(
        connector="feed",
        name=host,
        about=_("What is published there: a feed, or a page that names one."),
        settings={"url": address},
    )
    others = Proposal(
        connector="hackernews",
        name=_("Hacker News: %(words)s") % {"words": host},
        about=_("Stories and comments that link to it or name it."),
        settings={"words": [f'"{host}"']},
        chosen=not path.strip("/"),
    )
    return Followed(_("a site"), host, f"site:{quoted(host)} OR links:{quoted(host)} OR {quoted(host)}", (feed, others))


def _hacker_news(term: str) -> Proposal:
    return Proposal(
        connector="hackernews",
        name=_("Hacker News: %(words)s") % {"words": term.strip('"')},
        about=_("Stories and comments with these words. Needs no account."),
        settings={"words": [term]},
    )


def _hashtag_of(tag: str) -> Proposal:
    return Proposal(
        connector="mastodon",
        name=f"Mastodon: #{tag}",
        about=_("Posts of the fediverse with #%(tag)s, as %(server)s knows them. Needs no account.")
        % {"tag": tag, "server": urlsplit(LARGE_SERVER).hostname},
        settings={"server": LARGE_SERVER, "what": "hashtag", "hashtags": [tag]},
    )


def _everything() -> Proposal:
    return Proposal(
        connector="bluesky",
        name="Bluesky",
        about=_("Everything as it is written, of which only mentions are stored. It keeps one core a little busy."),
        settings={"way": "jetstream"},
        keep="matched",
        chosen=False,
    )
