"""Verbs on the CRMs that persons are exchanged with."""

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from talkworthy.people.actions.problems import Refused
from talkworthy.people.models import CrmAccount
from talkworthy.workspaces.audit import apply_changes, note_change
from talkworthy.workspaces.credentials import sealed
from talkworthy.workspaces.models import User, Workspace


def add_crm(workspace: Workspace, *, password: str, by: User | None, now: datetime, **said: Any) -> CrmAccount:
    """Exchange persons with a CRM from now on."""
    try:
        with transaction.atomic():
            account = CrmAccount.objects.create(
                workspace=workspace, secrets=sealed({"password": password}), due_at=now, created_at=now, **said
            )
            note_change(workspace, verb="add", thing=account, by=by, now=now, after=said)
    except IntegrityError as error:
        raise Refused(_("There is a CRM called “%(name)s” already.") % {"name": said["name"]}) from error
    return account


def change_crm(account: CrmAccount, *, password: str, by: User | None, now: datetime, **said: Any) -> CrmAccount:
    """Change settings; an empty password leaves the one that is kept. Another server is read from its beginning."""
    try:
        with transaction.atomic():
            before, after = apply_changes(account, said)
            if password:
                account.secrets = sealed({"password": password})
                after["password"] = "changed"  # noqa: S105 - that it was, not what it is
            if {"url", "database"} & after.keys():
                account.cursor = {}
            account.due_at, account.error = now, ""
            account.save()
            note_change(account.workspace, verb="change", thing=account, by=by, now=now, before=before, after=after)
    except IntegrityError as error:
        raise Refused(_("There is a CRM called “%(name)s” already.") % {"name": said["name"]}) from error
    return account


def exchange_now(account: CrmAccount, *, by: User | None, now: datetime) -> None:
    """Do not wait until it is due."""
    with transaction.atomic():
        CrmAccount.objects.filter(pk=account.pk).update(due_at=now)
        note_change(account.workspace, verb="exchange", thing=account, by=by, now=now)


def remove_crm(account: CrmAccount, *, by: User | None, now: datetime) -> None:
    """Exchange no more; persons stay as they are, on both sides."""
    with transaction.atomic():
        note_change(account.workspace, verb="remove", thing=account, by=by, now=now)
        account.delete()
