"""The fields of queries over people: one table of what each takes and finds."""

from talkworthy.people.models import Person, PersonRole
from talkworthy.query.fields import FieldSpec, Takes, Vocabulary

HAS = (
    "email", "phone", "organisation", "identity", "role", "birthday", "city", "country", "language", "consent", "note",
    "parts",
)  # fmt: skip
STATES = ("due", "merged", "ours", "automated", "verified")


def _of(name: str, takes: Takes, help: str, **more: object) -> FieldSpec:
    return FieldSpec(name, takes, (), help, **more)  # type: ignore[arg-type]


_ROWS = (
    _of("name", Takes.WORDS, "words of a name, in any script, as it is or in Latin letters"),
    _of("handle", Takes.NAME, "name of an account, with or without @"),
    _of("channel", Takes.NAME, "where they have an account"),
    _of("account", Takes.NAME, "the channel’s own id of an account"),
    _of("bio", Takes.WORDS, "words of what an account says of itself"),
    _of("followers", Takes.NUMBER, "followers of one of their accounts", low=0, whole=True),
    _of("email", Takes.NAME, "an e-mail address"),
    _of("phone", Takes.NAME, "a telephone number; blanks and signs do not count"),
    _of("organisation", Takes.WORDS, "words of the organisation’s name"),
    _of("role", Takes.ONE_OF, "what they are to us now", choices=tuple(PersonRole.Role.values)),
    _of("city", Takes.WORDS, "words of the city"),
    _of("country", Takes.WORDS, "words of the country"),
    _of("language", Takes.NAME, "a language they speak, as it was written down"),
    _of("source", Takes.NAME, "where something known of them came from"),
    _of("note", Takes.WORDS, "words of the note"),
    _of("consent", Takes.NAME, "a purpose they agreed to and did not withdraw"),
    _of("basis", Takes.ONE_OF, "on what basis the record exists", choices=tuple(Person.Basis.values)),
    _of("notice", Takes.ONE_OF, "whether they know of the record", choices=tuple(Person.Notice.values)),
    _of("keptUntil", Takes.TIME, "the record is kept until then or shorter"),
    _of("since", Takes.TIME, "added then or later"),
    _of("until", Takes.TIME, "added then or earlier; a date counts to its end"),
    _of("seen", Takes.TIME, "one of their accounts was seen then or later"),
    _of("person", Takes.NAME, "the person of that number"),
    _of("segment", Takes.NAME, "whom another segment finds"),
    _of("has", Takes.ONE_OF, "whether something is known", choices=HAS),
    _of("is", Takes.ONE_OF, "how the record or one of the accounts stands", choices=STATES),
)

PEOPLE: Vocabulary = {spec.name: spec for spec in _ROWS}
"""Every field of a query over people, by its name."""
