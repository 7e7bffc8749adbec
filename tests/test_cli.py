"""The command as a person or a script meets it, and its page in the documentation."""

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from talkworthy.cli import main
from talkworthy.schema import ANNOTATIONS

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "command-line.md"
POSTS = (
    '{"uid": "1", "text": "I love this Coffee! #launch", "published_at": "2026-01-01", "own": {"a": 1.50}}\n'
    '{"uid": "2", "text": "tea coffee", "published_at": "2026-01-02"}\n'
)


def commands():
    """Every command that help shows, with its words on the command line."""

    def within(group, words):
        for name, command in group.commands.items():
            if isinstance(command, click.Group):
                yield from within(command, [*words, name])
            elif not command.hidden:
                yield [*words, name], command

    return list(within(main, []))


@pytest.fixture
def run():
    """Run the command; exceptions that are no exits are not swallowed."""

    def ran(*words, input=None):
        return CliRunner().invoke(main, words, input=input, catch_exceptions=False)

    return ran


@pytest.fixture
def monitors(tmp_path):
    path = tmp_path / "m.yaml"
    path.write_text("coffee: coffee AND NOT tea\nlaunch: hashtag:launch\ndecoy: cocoa\n")
    return str(path)


def test_a_valid_query_ends_with_0_and_says_nothing_on_standard_error(run):
    found = run("query", "check", "coffee AND tea")
    assert (found.exit_code, found.stdout, found.stderr) == (0, "valid\n", "")


def test_a_warning_ends_with_0_and_stands_on_standard_error(run):
    found = run("query", "check", "coffee tea")
    assert found.exit_code == 0 and found.stdout == ""
    assert found.stderr.startswith("W-IMPLICIT-AND at line 1, column 8")


def test_an_error_ends_with_2_and_shows_line_column_caret_and_fix(run):
    found = run("query", "check", "coffee AND\n(tea")
    assert found.exit_code == 2 and found.stdout == ""
    assert found.stderr.splitlines()[:4] == [
        "E-BRACKET at line 2, column 1: this bracket is never closed",
        "  (tea",
        "  ^",
        "  write: close it with )",
    ]


@pytest.mark.parametrize(
    ("text", "status", "verdict"), [("a AND b", 0, "valid"), ("a b", 0, "warning"), ("(a", 2, "error")]
)
def test_json_holds_verdict_errors_and_warnings(run, text, status, verdict):
    found = run("query", "check", "--json", text)
    told = json.loads(found.stdout)
    assert (found.exit_code, told["verdict"], found.stderr) == (status, verdict, "")
    assert set(told) == {"verdict", "errors", "warnings"}
    assert bool(told["errors"]) == (verdict == "error")


def test_a_query_can_be_read_from_standard_input(run):
    assert run("query", "check", "-", input="coffee AND tea").stdout == "valid\n"


def test_a_field_of_the_desk_is_refused_for_a_monitor_and_taken_at_the_desk(run):
    text = "assignee:ann"
    assert run("query", "check", text, "--stage", "monitor").exit_code == 2
    assert run("query", "check", text, "--stage", "desk").exit_code == 0


def test_format_prints_the_standard_form(run):
    found = run("query", "format", 'tea  OR coffee   AND  "oat milk"', "--dialect", "lenient")
    assert found.stdout == 'tea OR (coffee AND "oat milk")\n'


def test_format_refuses_a_broken_query_with_2(run):
    found = run("query", "format", "(coffee")
    assert found.exit_code == 2 and "E-BRACKET" in found.stderr


def test_explain_tells_of_each_post_what_hit_and_what_failed(run):
    found = run("query", "explain", "coffee AND NOT tea", input=POSTS)
    assert found.exit_code == 0
    assert "1: matches" in found.stdout and "[text 12-18 'Coffee']" in found.stdout
    assert "2: does not match" in found.stdout and "because of: tea" in found.stdout


def test_explain_gives_one_json_object_a_post(run):
    lines = run("query", "explain", "coffee AND NOT tea", "--json", input=POSTS).stdout.splitlines()
    assert [(row["uid"], row["matches"], row["failed"]) for row in map(json.loads, lines)] == [
        ("1", True, []),
        ("2", False, ["tea"]),
    ]


def test_explain_cannot_read_query_and_posts_from_one_stream(run):
    found = run("query", "explain", "-", input="coffee")
    assert found.exit_code == 2 and "name a file of posts" in found.stderr


def test_match_adds_names_in_the_order_of_the_file_and_keeps_the_line(run, monitors):
    found = run("match", "--monitors", monitors, input=POSTS)
    first, second = found.stdout.splitlines()
    assert first.startswith(POSTS.splitlines()[0][:-1])
    assert json.loads(first)["monitors"] == ["coffee", "launch"]
    assert json.loads(second)["monitors"] == []


def test_match_can_leave_out_what_no_monitor_finds(run, monitors):
    found = run("match", "--monitors", monitors, "--matched", input=POSTS)
    assert [json.loads(line)["uid"] for line in found.stdout.splitlines()] == ["1"]


def test_a_bad_file_of_monitors_ends_with_2_and_names_each_bad_monitor(run, tmp_path):
    path = tmp_path / "m.yaml"
    path.write_text("good: coffee\nopen: (tea\nempty: ''\n")
    found = run("match", "--monitors", str(path), input=POSTS)
    assert (found.exit_code, found.stdout) == (2, "")
    assert "monitor open: E-BRACKET" in found.stderr and "\n  ^" in found.stderr
    assert "monitor empty: E-EMPTY" in found.stderr and "good" not in found.stderr


def test_lines_that_cannot_be_read_are_named_and_the_rest_goes_on(run, monitors):
    found = run("match", "--monitors", monitors, input="oops\n" + POSTS)
    assert found.exit_code == 0 and len(found.stdout.splitlines()) == 2
    assert found.stderr.startswith("line 1: not JSON")
    assert found.stderr.endswith("1 of 3 lines could not be read and were left out.\n")


def test_analyse_adds_every_annotation_but_the_folded_text(run, tmp_path):
    (tmp_path / "p.jsonl").write_text(POSTS)
    found = run("analyse", str(tmp_path / "p.jsonl"))
    row = json.loads(found.stdout.splitlines()[0])
    assert (row["own"], row["hashtags"], row["links"], row["sentiment"]) == ({"a": 1.5}, ["launch"], [], "positive")
    assert set(ANNOTATIONS.names) - set(row) == {"folded", "near_hash"}


def test_analyse_writes_parquet_where_the_name_says_so(run, tmp_path):
    target = tmp_path / "out.parquet"
    assert run("analyse", "-", "-o", str(target), input=POSTS).exit_code == 0
    table = pq.read_table(target)
    assert table["uid"].to_pylist() == ["1", "2"] and table["detected_language"][0].as_py() == "en"
    assert table["more"].to_pylist() == ['{"own": {"a": 1.5}}', None]


def test_a_file_that_is_not_there_ends_with_1_in_one_line(run, monitors):
    found = run("match", "--monitors", monitors, "nowhere.jsonl")
    assert found.exit_code == 1 and found.stderr.count("\n") == 1 and "nowhere.jsonl" in found.stderr


def test_match_loads_neither_the_desk_nor_the_analysis(monitors):
    code = (
        "import sys; from talkworthy.cli import main\n"
        f"try: main(['match', '--monitors', {monitors!r}])\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'django', 'deltalake', 'duckdb', 'sklearn', 'talkworthy.analysis', 'talkworthy.archive'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], input=POSTS.encode(), capture_output=True, check=True)
    assert ran.stderr.decode().strip() == "[]" and ran.stdout.count(b"\n") == 2


def test_a_reader_that_goes_away_ends_the_filter_quietly(monitors, tmp_path):
    posts = tmp_path / "many.jsonl"
    posts.write_text(POSTS * 20_000)
    code = f"from talkworthy.cli import main; main(['match', '--monitors', {monitors!r}, {str(posts)!r}])"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == (b"", 141)


@pytest.mark.parametrize("words", [" ".join(words) for words, _ in commands()])
def test_every_command_teaches_with_an_example(run, words):
    shown = run(*words.split(), "--help").stdout
    assert re.search(rf"^  (.*\| )?(\S+=\S+ )?talkworthy {words}\b|\| talkworthy {words}\b", shown, re.MULTILINE), shown


@pytest.mark.parametrize(("words", "command"), [(" ".join(words), command) for words, command in commands()])
def test_every_option_says_what_it_does(words, command):
    options = [each for each in command.params if isinstance(each, click.Option)]
    assert [each.name for each in options if not each.help] == []


@pytest.mark.parametrize(("words", "command"), [(" ".join(words), command) for words, command in commands()])
def test_the_page_has_every_command_with_every_option(words, command):
    page = PAGE.read_text()
    section = re.search(rf"^### `talkworthy {words}[ `].*?(?=^##|\Z)", page, re.MULTILINE | re.DOTALL)
    assert section, f"no section on {words}"
    options = [name for each in command.params if isinstance(each, click.Option) for name in each.opts]
    assert [name for name in options if f"`{name}`" not in section[0] and f"{name} " not in section[0]] == []


def test_the_page_tells_of_no_command_or_option_that_is_not_there():
    page = PAGE.read_text()
    known = {" ".join(words): command for words, command in commands()}
    told = re.findall(r"^### `talkworthy ([a-z]+(?:-[a-z]+)?(?: [a-z]+)*)", page, re.MULTILINE)
    assert sorted(told) == sorted(known)
    options = {name for command in known.values() for each in command.params for name in each.opts} | {"--help"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", page)) <= options
