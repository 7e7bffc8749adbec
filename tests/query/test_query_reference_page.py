"""The reference page says what the code does: its tables, its choices and each of its queries."""

import re
from pathlib import Path

from talkworthy.query import CODES, check
from talkworthy.query.fields import FIELDS, Takes

PAGE = (Path(__file__).parents[2] / "docs/reference/query-language.md").read_text("utf-8")


def rows(first_cell: str) -> list[list[str]]:
    found = re.findall(rf"^\| (?={first_cell}).*\|$", PAGE, re.MULTILINE)
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in found]


def test_the_table_of_fields_is_that_of_the_code() -> None:
    listed = [(name, takes, finds, known) for name, takes, _, finds, known in rows(r"`\w+:` \|")]
    assert listed == [(f"`{f.name}:`", f.takes.value, f.help, f.known.value) for f in FIELDS.values()]


def test_the_example_of_each_field_is_a_valid_query_about_it() -> None:
    for name, _, example, _, _ in rows(r"`\w+:` \|"):
        query = example.strip("`")
        assert query.startswith(name.strip("`"))
        assert check(query, stage="desk").verdict == "valid", query


def test_the_table_of_codes_is_that_of_the_code() -> None:
    assert [tuple(row) for row in rows("[EW]-")] == list(CODES.items())


def test_every_choice_is_named() -> None:
    for field in FIELDS.values():
        if field.takes is Takes.ONE_OF:
            (line,) = re.findall(rf"`{field.name}:` ([^·]+?)(?:·|\.)", PAGE[PAGE.index("**choices**") :])
            assert all(choice in line for choice in field.choices)


def test_every_query_of_the_first_table_is_valid() -> None:
    table = PAGE[PAGE.index("| to find |") : PAGE.index("A monitor grows")]
    queries = [
        query for row in table.strip().splitlines()[2:] for query in re.findall(r"`([^`]+)`", row.rsplit("|", 2)[1])
    ]
    assert len(queries) > 15
    assert [query for query in queries if check(query).verdict != "valid"] == []
