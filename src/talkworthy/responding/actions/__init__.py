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
)
from talkworthy.responding.actions.problems import Refused, Stale

__all__ = [
    "Refused",
    "Stale",
    "approve_draft",
    "approvers",
    "ask_approval",
    "attach_file",
    "describe_attachment",
    "drop_draft",
    "last_inward",
    "lift_stop",
    "recall_draft",
    "refuse_draft",
    "remove_attachment",
    "restore_draft",
    "retry_delivery",
    "save_draft",
    "schedule_by_machine",
    "schedule_draft",
    "send_draft",
    "settle_by_hand",
    "start_draft",
    "stop_sending",
]
