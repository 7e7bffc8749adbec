"""What the headers of a reply say: pauses and links."""

import pytest

from talkworthy.connectors.replies import links_of, wait_of


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "17"}, 17),
        ({"retry-after": "Sun, 06 Nov 1994 08:50:37 GMT"}, 60),
        ({"retry-after": "soon"}, None),
        ({"x-ratelimit-remaining": "0.0", "x-ratelimit-reset": "33"}, 33),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1994-11-06T08:50:37.000Z"}, 60),
        ({"x-ratelimit-remaining": "5", "x-ratelimit-reset": "33"}, None),
        ({"ratelimit": "limit=100, remaining=0, reset=50"}, 50),
        ({"ratelimit": '"default";r=0;t=30'}, 30),
        ({"ratelimit": '"default";r=3;t=30'}, None),
        ({"x-ratelimit-remaining": "many"}, None),
        ({"x-ratelimit-remaining": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "nan"}, None),
        ({"retry-after": "1e400"}, 86_400),
        ({"retry-after": "999999999"}, 86_400),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, 86_400),
        ({"ratelimit": '"default";r=0;t=' + "9" * 400}, 86_400),
        ({}, None),
    ],
)
def test_a_pause_is_read_from_every_kind_of_header(headers: dict[str, str], seconds: float | None) -> None:
    assert wait_of(headers, now=784111777.0) == seconds


@pytest.mark.parametrize("reset", ["1767225660", "1767225660000"])
def test_a_pause_is_read_from_an_epoch_in_seconds_or_milliseconds(reset: str) -> None:
    assert wait_of({"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}, now=1767225600.0) == 60


def test_links_are_read_from_their_header() -> None:
    header = '</page/2>; rel="next last", <https://hub.example/>; rel=hub; title="a, b", <x>; rel="next", <y>;rel=self'
    assert links_of(header, "https://example.org/page/1") == {
        "next": "https://example.org/page/2",
        "last": "https://example.org/page/2",
        "hub": "https://hub.example/",
        "self": "https://example.org/page/y",
    }


def test_a_hostile_link_header_is_read_in_little_time() -> None:
    assert links_of("<a>" + ";a=" * 30_000, "https://example.org/") == {}
