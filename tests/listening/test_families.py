"""Near copies stand together, and every post is counted."""

from talkworthy.listening.families import families, first_families, spread_of

LONG = "Acme gives away a router to everybody who shares this"


def post(number, text=LONG, *, exact=1, near=None, channel="mastodon", **author):
    return {
        "id": number, "title": None, "text": text, "text_hash": exact, "near_hash": near, "channel": channel,
        "author": {"id": f"a{number}", **author},
    }  # fmt: skip


def test_copies_stand_behind_the_first_and_no_post_is_lost():
    posts = [post(9), post(8, exact=2), post(7), post(6, exact=3), post(5)]
    found = families(posts)
    assert [(family.post["id"], [copy["id"] for copy in family.copies]) for family in found] == [
        (9, [7, 5]), (8, []), (6, []),
    ]  # fmt: skip
    assert sorted(each["id"] for family in found for each in family.posts) == [5, 6, 7, 8, 9]


def test_a_near_copy_joins_the_text_that_its_hash_names():
    assert len(families([post(9, exact=4, near=1), post(8, exact=1), post(7, exact=2)])) == 2


def test_short_texts_and_no_text_are_nobody_s_copies():
    short = [post(9, "Thanks, Acme!"), post(8, "Thanks, Acme!")]
    silent = [post(7, "", exact=None), post(6, "", exact=None)]
    assert len(families([*short, *silent])) == 4


def test_a_list_ends_before_the_text_that_is_too_much():
    posts = [post(9), post(8), post(7, exact=2), post(6, exact=3), post(5)]
    assert [family.post["id"] for family in first_families(posts, 2)] == [9, 7]
    assert sum(len(family.posts) for family in first_families(posts, 2)) == 3
    assert len(first_families(posts, 3)) == 3


def test_reach_counts_each_account_once_and_says_how_many_told():
    posts = [
        post(9, name="Ann", followers=100),
        {**post(8), "author": {"id": "a9", "name": "Ann", "followers": 100}},
        post(7, channel="reddit", name="Ben", followers=None),
        post(6, channel="reddit", handle="cleo", followers=7),
        post(5, name="Dora"),
    ]
    spread = spread_of(posts)
    assert spread.channels == (("mastodon", 3), ("reddit", 2))
    assert spread.accounts == ("Ann", "Ben", "cleo") and spread.more_accounts == 1
    assert (spread.followers, spread.told) == (107, 2)
