"""How the recorded posts were chosen: `python -m talkworthy.listening.recorded.build POSTS.jsonl.gz`.

POSTS is the set of Reddit's top posts that github.com/umbrae/reddit-top-2.5-million gives away under the PDDL 1.0,
one JSON object a line (subreddit, id, created_utc, score, ups, downs, num_comments, domain, is_self, flair, title,
url, selftext). Nothing is written anew: posts are chosen by community, time and a list of slurs.
"""

import gzip
import html
import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from talkworthy.schema import post_uid, posts_table

SINCE = datetime(2012, 9, 1, tzinfo=UTC)
TAKEN = datetime(2013, 8, 19, tzinfo=UTC)
"""The counts were read when the set was made; its posts end here."""
COMMUNITIES = {
    "Steam", "pcgaming", "Games", "gaming", "PS3", "windows8", "buildapc", "technology", "gadgets", "techsupport",
    "linux", "Ubuntu", "kickstarter", "Android",
}  # fmt: skip
COARSE = re.compile(
    r"\b(fuck\w*|shit\w*|cunt\w*|fag\w*|nigg\w*|retard\w*|rape\w*|porn\w*|nsfw|slut\w*|whore\w*|bitch\w*|dick\w*|tits)\b",
    re.I,
)


def chosen(path: Path) -> Iterator[dict[str, Any]]:
    """The posts as rows of the schema."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            raw = json.loads(line)
            at = datetime.fromtimestamp(raw["created_utc"], UTC)
            words = f"{raw['title']} {raw['selftext']}"
            if (
                at >= SINCE
                and raw["subreddit"] in COMMUNITIES
                and not COARSE.search(words)
                and len(raw["selftext"]) < 6000
            ):
                yield row(raw, at)


def row(raw: dict[str, Any], at: datetime) -> dict[str, Any]:
    """One post; the set names no authors."""
    address = f"https://www.reddit.com/r/{raw['subreddit']}/comments/{raw['id']}/"
    is_self = str(raw["is_self"]) == "True"
    return {
        "uid": post_uid("reddit", "reddit.com", f"t3_{raw['id']}"),
        "url": address,
        "kind": "note" if is_self else "page",
        "title": html.unescape(raw["title"]),
        "text": html.unescape(raw["selftext"] or ""),
        "published_at": at,
        "links": [] if is_self else [html.unescape(raw["url"])],
        "tags": [raw["flair"]] if raw["flair"] else [],
        "site": "reddit.com",
        "community": raw["subreddit"],
        "engagement": {
            "replies": int(raw["num_comments"]),
            "likes": int(raw["score"]),
            "shares": None,
            "views": None,
            "taken_at": TAKEN,
        },
    }


def main() -> None:
    """Write posts.parquet beside this file."""
    rows = sorted(chosen(Path(sys.argv[1])), key=lambda post: post["published_at"])
    target = Path(__file__).with_name("posts.parquet")
    pq.write_table(posts_table(rows), target, compression="zstd", compression_level=19)
    print(f"{len(rows)} posts, {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
