"""The verbs of responding. Each writes in a transaction and leaves a row in the audit trail."""

from talkworthy.responding.actions.approvals import approve_draft, approvers, ask_approval, refuse_draft
from talkworthy.responding.actions.deliveries import (
    lift_stop,
    recall_draft,
    retry_delivery,
    schedule_by_machine,
    schedule_draft,
    send_draft,
    settle_by_hand,
    stop_sending,
)
from talkworthy.responding.actions.drafts import (
    attach_file,
    describe_attachment,
    drop_draft,
    last_inward,
    remove_attachment,
    restore_draft,
    save_draft,
    start_draft,
    start_only_draft,
)
from talkworthy.responding.actions.machines import ask_machine, send_if_allowed
from talkworthy.responding.actions.presence import note_presence, others_here
from talkworthy.responding.actions.problems import Refused, Stale
from talkworthy.responding.actions.seen import mark_unread, see_cases
from talkworthy.responding.actions.settings import (
    delete_approval_rule,
    save_approval_rule,
    save_drafter,
    save_manner,
    set_autonomy,
    turn_sender,
)
from talkworthy.responding.actions.snippets import delete_snippet, restore_snippet, save_snippet, use_snippet
from talkworthy.responding.actions.views import forget_view, keep_view

__all__ = [
    "Refused",
    "Stale",
    "approve_draft",
    "approvers",
    "ask_approval",
    "ask_machine",
    "attach_file",
    "delete_approval_rule",
    "delete_snippet",
    "describe_attachment",
    "drop_draft",
    "forget_view",
    "keep_view",
    "last_inward",
    "lift_stop",
    "mark_unread",
    "note_presence",
    "others_here",
    "recall_draft",
    "refuse_draft",
    "remove_attachment",
    "restore_draft",
    "restore_snippet",
    "retry_delivery",
    "save_approval_rule",
    "save_draft",
    "save_drafter",
    "save_manner",
    "save_snippet",
    "schedule_by_machine",
    "schedule_draft",
    "see_cases",
    "send_draft",
    "send_if_allowed",
    "set_autonomy",
    "settle_by_hand",
    "start_draft",
    "start_only_draft",
    "stop_sending",
    "turn_sender",
    "use_snippet",
]
