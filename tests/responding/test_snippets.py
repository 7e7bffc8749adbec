"""Snippets and the lines that are added to a reply."""

import pytest

from talkworthy.responding import actions, snippets
from talkworthy.responding.disclosure import Lines, whole_text
from talkworthy.responding.models import Snippet
from talkworthy.workspaces.models import Workspace

from .conftest import NOW


def test_variables_are_filled_in_and_what_is_not_known_is_named():
    filled = snippets.fill("Hi {person.name}, #{case.number} {x}", {"case.number": "7"})
    assert (filled.text, filled.missing) == ("Hi {person.name}, #7 {x}", ("person.name", "x"))


def test_what_is_filled_in_is_not_read_again():
    assert (
        snippets.fill("Hi {person.name}", {"person.name": "{agent.name}", "agent.name": "A"}).text == "Hi {agent.name}"
    )


def test_an_unknown_variable_says_which_may_have_been_meant():
    with pytest.raises(snippets.UnknownVariable) as caught:
        snippets.check("Hi {person.nane}")
    assert (caught.value.name, caught.value.close) == ("person.nane", "person.name")


@pytest.mark.parametrize(("wanted", "text"), [("de", "Hallo"), ("pt-BR", "Olá"), ("fr", "Hello"), ("", "Hello")])
def test_the_language_of_the_person_is_chosen(wanted, text):
    assert snippets.best_language({"en": "Hello", "de": "Hallo", "pt": "Olá"}, wanted) == text


LINES = Lines(public="{name}, {workspace}", machine="Drafted by a machine")


@pytest.mark.parametrize(
    ("visibility", "machine", "whole"),
    [
        ("public", False, "Hi\n\nFrank, Acme"),
        ("private", False, "Hi"),
        ("private", True, "Hi\n\nDrafted by a machine"),
        ("unlisted", True, "Hi\n\nFrank, Acme\n\nDrafted by a machine"),
    ],
)
def test_who_speaks_is_disclosed_in_public_and_a_machine_everywhere(visibility, machine, whole):
    made = whole_text("Hi", LINES, visibility=visibility, machine=machine, name="Frank", workspace="Acme")
    assert made == whole


def test_a_line_is_not_added_twice_and_not_without_the_name_that_it_needs():
    once = whole_text("Hi", LINES, visibility="public", machine=False, name="Frank", workspace="Acme")
    assert whole_text(once, LINES, visibility="public", machine=False, name="Frank", workspace="Acme") == once
    assert whole_text("Hi", LINES, visibility="public", machine=False, name="", workspace="Acme") == "Hi"


@pytest.mark.django_db
class TestSnippetActions:
    """Saving, deleting and bringing back."""

    def save(self, workspace, by, **changes):
        values = {"name": "Greeting", "shortcut": "Hi", "texts": {"en": "Hi {person.name}", "de": " "}} | changes
        return actions.save_snippet(workspace, **values, by=by, now=NOW)

    def test_empty_languages_are_left_out(self, workspace, alice):
        snippet = self.save(workspace, alice)
        assert snippet.shortcut == "hi"
        assert list(snippet.texts.values_list("language", flat=True)) == ["en"]

    def test_an_unknown_variable_is_an_error_when_it_is_saved(self, workspace, alice):
        with pytest.raises(actions.Refused, match=r"person\.name"):
            self.save(workspace, alice, texts={"en": "Hi {person.nmae}"})
        assert not Snippet.objects.exists()

    def test_a_shortcut_is_taken_once_a_workspace(self, workspace, alice):
        self.save(workspace, alice)
        self.save(Workspace.objects.create(name="Decoy", slug="decoy"), alice)
        with pytest.raises(actions.Refused, match="taken"):
            self.save(workspace, alice)

    def test_a_deleted_one_comes_back_unless_its_shortcut_is_taken(self, workspace, alice):
        snippet = self.save(workspace, alice)
        actions.delete_snippet(snippet, by=alice, now=NOW)
        other = self.save(workspace, alice)
        with pytest.raises(actions.Refused):
            actions.restore_snippet(snippet, by=alice, now=NOW)
        actions.delete_snippet(other, by=alice, now=NOW)
        actions.restore_snippet(snippet, by=alice, now=NOW)
        snippet.refresh_from_db()
        assert snippet.deleted_at is None
