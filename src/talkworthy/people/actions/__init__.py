"""The verbs of people. Each writes in a transaction and leaves a row of history and a line in the audit trail."""

from talkworthy.people.actions.identities import identity_of, link_identity, mark_identity, unlink_identity
from talkworthy.people.actions.links import confirm_link, deny_link, keep_suggestions, reopen_link
from talkworthy.people.actions.merging import (
    allow_merging,
    keep_apart,
    key_of,
    merge_persons,
    ordered,
    split_person,
)
from talkworthy.people.actions.persons import (
    MEMBER,
    add_attribute,
    change_organisation,
    change_person,
    create_person,
    end_role,
    give_role,
    note_consent,
    organisation_named,
    remove_attribute,
    remove_person,
    restore_person,
)
from talkworthy.people.actions.problems import Refused
from talkworthy.people.actions.segments import change_segment, create_segment, delete_segment, restore_segment

__all__ = [
    "MEMBER",
    "Refused",
    "add_attribute",
    "allow_merging",
    "change_organisation",
    "change_person",
    "change_segment",
    "confirm_link",
    "create_person",
    "create_segment",
    "delete_segment",
    "deny_link",
    "end_role",
    "give_role",
    "identity_of",
    "keep_apart",
    "keep_suggestions",
    "key_of",
    "link_identity",
    "mark_identity",
    "merge_persons",
    "note_consent",
    "ordered",
    "organisation_named",
    "remove_attribute",
    "remove_person",
    "reopen_link",
    "restore_person",
    "restore_segment",
    "split_person",
    "unlink_identity",
]
