"""The page of the fields says what the code does."""

import re
from pathlib import Path
from typing import Any

from talkworthy.people.fields import PEOPLE
from talkworthy.people.models import Person
from talkworthy.people.segments import people_query
from talkworthy.query import check

PAGE = (Path(__file__).parents[2] / "docs/reference/people-fields.md").read_text("utf-8")
ROWS = re.findall(r"^\| `(\w+):` \| (.*?) \| `(.*?)` \| (.*?) \|$", PAGE, re.MULTILINE)


def test_the_table_is_that_of_the_code() -> None:
    assert [(name, takes, finds) for name, takes, _example, finds in ROWS] == [
        (field.name, field.takes.value, field.help) for field in PEOPLE.values()
    ]


def test_every_choice_is_named() -> None:
    for field in PEOPLE.values():
        if field.choices:
            assert f"- `{field.name}:` {', '.join(field.choices)}\n" in PAGE


def test_every_example_is_a_valid_query_that_can_be_asked(workspace: Any, now: Any) -> None:
    for name, _takes, example, _finds in ROWS:
        assert check(example, stage="people", vocabulary=PEOPLE).verdict == "valid", example
        if name != "segment":
            assert list(Person.objects.filter(people_query(workspace, example, now=now))) == []
