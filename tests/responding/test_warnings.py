"""What is wrong with a reply, and where: with decoys that are not."""

import pytest

from talkworthy.connectors.contract import SendingLimits
from talkworthy.connectors.lengths import length_of
from talkworthy.responding.reasons import warning_in_words
from talkworthy.responding.warnings import Kind, Reply, Warned, warnings_of

LIMITS = SendingLimits(characters=60, alt_text=True)


def found(text, limits=LIMITS, **facts):
    reply = Reply(text=text, whole=facts.pop("whole", text), **facts)
    return [(one.kind, text[one.start : one.end]) for one in warnings_of(reply, limits)]


@pytest.mark.parametrize(
    "text",
    [
        "Please send us your order number.",
        "What is your email address?",
        "Bitte nennen Sie uns Ihre Kundennummer.",
        "Quel est votre numéro de commande ?",
        "¿Cuál es su número de pedido?",
        "Qual è il codice cliente?",
        "Wat is uw telefoonnummer?",
        "Qual é o número do pedido?",
    ],
)
def test_personal_data_asked_for_in_public_is_warned_about(text):
    assert found(f"Sorry to hear it. {text}") == [(Kind.ASKS_PERSONAL, text)]
    assert found(text, visibility="private") == []


@pytest.mark.parametrize(
    "text",
    [
        "We mailed you yesterday.",
        "Your order is on its way.",
        "Please send us your order number in a private message.",
        "Schicken Sie uns Ihre Kundennummer bitte per DM.",
        "Our email support is open now.",
    ],
)
def test_what_asks_for_nothing_in_public_is_left_alone(text):
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("Write to bob@example.org", "bob@example.org"),
        ("Call +49 30 1234567", "+49 30 1234567"),
        ("Your order number is 12345678", "12345678"),
        ("Paid to DE89 3704 0044 0532 0130 00", "DE89 3704 0044 0532 0130 00"),
        ("Card 4111 1111 1111 1111", "4111 1111 1111 1111"),
    ],
)
def test_personal_data_told_in_public_is_warned_about(text, what):
    assert found(text) == [(Kind.TELLS_PERSONAL, what)]
    assert found(text, visibility="private") == []


@pytest.mark.parametrize(
    "text",
    [
        "Since 2026-03-04 at 12:00",
        "Version 10.20.30.40",
        "See https://acme.example/12345678",
        "@bob@social.example hi",
        "It costs 1,000,000",
    ],
)
def test_other_numbers_and_handles_are_no_personal_data(text):
    assert found(text) == []


def test_what_is_too_long_stops_it_with_the_added_lines_counted():
    assert found("x" * 60) == []
    warned = warnings_of(Reply(text="x" * 50, whole="x" * 61), LIMITS)
    assert warned[0].stops and warned[0].numbers == (61, 60)


def test_a_variable_that_was_not_filled_in_stops_it_but_other_braces_do_not():
    assert found("Hello {person.name}, {this} is fine") == [(Kind.UNFILLED, "{person.name}")]


def test_a_subject_is_asked_for_where_the_channel_has_one():
    assert found("Hello", SendingLimits(subject=True)) == [(Kind.NO_SUBJECT, "")]
    assert found("Hello", SendingLimits(subject=True), subject="Router") == []


def test_a_file_without_a_description_is_warned_about_where_the_channel_takes_one():
    assert found("Hi", alts=["", "A router"]) == [(Kind.NO_ALT, "")]
    assert found("Hi", SendingLimits(), alts=[""]) == []


def test_another_language_than_theirs_is_warned_about():
    text = "We are sorry that the router does not work."
    assert found(text, their_language="de") == [(Kind.OTHER_LANGUAGE, "")]
    assert found(text, their_language="en") == found(text) == []


@pytest.mark.parametrize("text", ["PLEASE READ THE MANUAL now", "Really!!!", "ЭТО НАША ОШИБКА"])
def test_shouting_is_warned_about(text):
    assert [kind for kind, _ in found(text)] == [Kind.SHOUTS]


@pytest.mark.parametrize("text", ["The USB and HDMI ports", "Thanks!", "我们非常抱歉", "NASA ESA JA"])
def test_short_names_in_capitals_are_no_shouting(text):
    assert found(text) == []


def test_a_link_that_nobody_of_us_wrote_is_strange_in_a_machine_s_text_only():
    text = "See https://evil.example/x"
    assert found(text, machine=True) == [(Kind.STRANGE_LINK, "https://evil.example/x")]
    assert found(text, machine=True, known_links=frozenset({"https://evil.example/x"})) == found(text) == []


@pytest.mark.parametrize("kind", list(Kind))
def test_every_warning_says_what_is_wrong_and_what_to_do(kind):
    said, remedy = warning_in_words(Warned(kind, what="email", numbers=(2, 1)))
    assert said and remedy.endswith((".", "can."))


@pytest.mark.parametrize(
    ("text", "limits", "length"),
    [
        ("👩‍👩‍👧 hi", SendingLimits(count="graphemes"), 4),
        ("👩‍👩‍👧 hi", SendingLimits(), 8),
        ("see https://acme.example/a/very/long/way.", SendingLimits(count="graphemes", link_length=23), 28),
        ("@bob@social.example hi", SendingLimits(count="graphemes", link_length=23), 7),
    ],
)
def test_length_is_counted_in_the_channel_s_way(text, limits, length):
    assert length_of(text, limits) == length
