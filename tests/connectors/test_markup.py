"""HTML from outside: made plain, made safe, and its addresses."""

import time

import pytest

from talkworthy.connectors.markup import absolute, addresses, clean, links, plain, site, storable


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One<br>two</p><p>three</p>", "One\ntwo\n\nthree"),
        ("<ul><li>a</li><li>b <b>bold</b></li></ul>after", "- a\n- b bold\n\nafter"),
        ("a &lt;b&gt; &amp;amp; c&nbsp;d", "a <b> &amp; c d"),
        ("<pre>x\n  y</pre>", "x\n  y"),
        ("<table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table>", "1 2\n3"),
        ("<style>p{}</style><script>x()</script><title>t</title>words", "words"),
        ("no tags, 3 < 4\n and  blanks", "no tags, 3 < 4 and blanks"),
        ('<span class="invisible">https://</span><span>x.example/a</span>', "https://x.example/a"),
        ("", ""),
    ],
)
def test_words_stay_and_tags_go(html: str, text: str) -> None:
    assert plain(html) == text


@pytest.mark.parametrize(
    "html",
    [
        "<script>x</script>",
        "<img src=x onerror=alert(1)>",
        "<a href='javascript:alert(1)'>x</a>",
        "<a href='java\tscript:alert(1)'>x</a>",
        "<a href='data:text/html,x'>x</a>",
        "<iframe src='https://x.example/'></iframe>",
        "<p style='position:fixed'>x</p>",
        "<form action='https://x.example/'><input name=a></form>",
        "<svg><script>x</script></svg>",
        "<math><mtext><style><img src=x onerror=alert(1)>",
        "<base href='https://x.example/'>",
        "<p id=top class=admin>x</p>",
    ],
)
def test_what_runs_or_styles_does_not_pass(html: str) -> None:
    safe = clean(html)
    for piece in (
        "script",
        "onerror",
        "javascript",
        "data:",
        "iframe",
        "style",
        "form",
        "svg",
        "base",
        "id=",
        "class=",
    ):
        assert piece not in safe


def test_links_are_made_whole_and_tell_the_other_site_nothing() -> None:
    assert clean("<a href='/a'>x</a>", base="https://x.example/b/") == (
        '<a href="https://x.example/a" rel="noopener noreferrer nofollow ugc">x</a>'
    )
    assert "href" not in clean("<a href='/a'>x</a>")


def test_addresses_are_found_in_links_and_in_words() -> None:
    html = "see https://a.example/x_(y)). <a href='/z?a=1&amp;b=2'>https://no.example</a> <a href='mailto:x@y'>m</a> http://b.example!"
    assert links(html, "https://c.example/") == [
        "https://a.example/x_(y)",
        "https://c.example/z?a=1&b=2",
        "http://b.example",
    ]
    assert addresses("https://a.example, (https://b.example/)") == ["https://a.example", "https://b.example/"]


@pytest.mark.parametrize(
    ("url", "host"),
    [("https://www.X.example:8080/a", "x.example"), ("mailto:a@b", None), ("", None), (None, None), ("http://[", None)],
)
def test_the_site_of_an_address_is_its_host(url: str | None, host: str | None) -> None:
    assert site(url) == host


def test_only_addresses_of_the_web_are_made_whole() -> None:
    assert absolute(" /a ", "https://x.example/b") == "https://x.example/a"
    for url in ("javascript:x", "http://", "http://[", "", None):
        assert absolute(url) is None


def test_what_stores_refuse_is_cut() -> None:
    assert storable("a\x00b\ud800c") == "abc"


HOSTILE = (
    "<" * 500_000,
    "<!--" * 100_000,
    "<div>" * 100_000,
    "<b></i>" * 70_000,
    "<table><tr><td>" * 30_000,
    "<b><i></b>" * 50_000,
    "<a href=x>" * 50_000,
    "http://a" + ")" * 400_000,
    "<ul><li>" * 60_000,
)


@pytest.mark.parametrize("html", HOSTILE, ids=lambda html: html[:14])
def test_hostile_html_is_read_in_bounded_time(html: str) -> None:
    begun = time.process_time()
    plain(html), clean(html), links(html)
    assert time.process_time() - begun < 10
