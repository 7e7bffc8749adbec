"""Verbs on snippets."""

from collections.abc import Mapping
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from talkworthy.responding import snippets
from talkworthy.responding.actions.problems import Refused
from talkworthy.responding.models import Snippet, SnippetText
from talkworthy.workspaces.audit import apply_changes, note_change
from talkworthy.workspaces.models import Team, User, Workspace


def save_snippet(
    workspace: Workspace,
    *,
    name: str,
    shortcut: str,
    texts: Mapping[str, str],
    team: Team | None = None,
    snippet: Snippet | None = None,
    by: User,
    now: datetime,
) -> Snippet:
    """Make or change one; a language with an empty text goes. A variable that there is not is refused."""
    given = {language: text.strip() for language, text in texts.items() if text.strip()}
    if not given:
        raise Refused(_("Write it in one language at least."))
    for text in given.values():
        _checked(text)
    try:
        with transaction.atomic():
            values = {"name": name.strip(), "shortcut": shortcut.strip().lower(), "team": team}
            if snippet is None:
                snippet = Snippet.objects.create(workspace=workspace, **values)
                note_change(workspace, verb="create", thing=snippet, by=by, now=now, after={"name": snippet.name})
            else:
                before, after = apply_changes(snippet, values)
                snippet.save()
                note_change(workspace, verb="change", thing=snippet, by=by, now=now, before=before, after=after)
            snippet.texts.exclude(language__in=given).delete()
            for language, text in given.items():
                SnippetText.objects.update_or_create(
                    snippet=snippet, language=language, defaults={"text": text, "by": by, "changed_at": now}
                )
    except IntegrityError as error:
        raise Refused(_("The shortcut “%(name)s” is taken.") % {"name": shortcut}) from error
    return snippet


def delete_snippet(snippet: Snippet, *, by: User, now: datetime) -> None:
    """Take it away; it can be restored."""
    _set_deleted(snippet, now, verb="delete", by=by, now=now)


def restore_snippet(snippet: Snippet, *, by: User, now: datetime) -> None:
    """Bring it back, if its shortcut is free."""
    taken = Snippet.objects.filter(workspace=snippet.workspace, shortcut=snippet.shortcut, deleted_at=None)
    if taken.exclude(pk=snippet.pk).exists():
        raise Refused(_("The shortcut “%(name)s” is taken.") % {"name": snippet.shortcut})
    _set_deleted(snippet, None, verb="restore", by=by, now=now)


def use_snippet(snippet: Snippet) -> None:
    """Count a use."""
    Snippet.objects.filter(pk=snippet.pk).update(uses=F("uses") + 1)


def _checked(text: str) -> None:
    try:
        snippets.check(text)
    except snippets.UnknownVariable as error:
        known = ", ".join(f"{{{name}}}" for name in snippets.VARIABLES)
        raise Refused(
            _("There is no variable {%(name)s}. Did you mean {%(close)s}? There are: %(known)s")
            % {"name": error.name, "close": error.close, "known": known}
            if error.close
            else _("There is no variable {%(name)s}. There are: %(known)s") % {"name": error.name, "known": known}
        ) from error


def _set_deleted(snippet: Snippet, at: datetime | None, *, verb: str, by: User, now: datetime) -> None:
    with transaction.atomic():
        Snippet.objects.filter(pk=snippet.pk).update(deleted_at=at)
        note_change(snippet.workspace, verb=verb, thing=snippet, by=by, now=now)
