"""Who may do what: one table."""

from enum import StrEnum


class Permission(StrEnum):
    """One thing that may be done in a workspace."""

    READ = "read"
    MARK = "mark"
    """Mark mentions, correct annotations, keep own views."""
    EDIT_MONITORS = "edit monitors"
    EDIT_SOURCES = "edit sources"
    EXPORT = "export"
    ERASE = "erase"
    MANAGE_MEMBERS = "manage members"
    MANAGE_WORKSPACE = "manage workspace"
    MANAGE_TOKENS = "manage tokens"
    READ_AUDIT = "read audit"
    WORK_CASES = "work on cases"
    """Take, assign, note, snooze, draft, and send where nobody must approve."""
    APPROVE = "approve replies"
    EDIT_ROUTING = "edit routing"
    """Touchpoints, promises, rules, playbooks, teams, working hours, targets."""
    TRAIN_MODELS = "train models"
    """Train on labels, activate what was trained, say how sure an answer must be."""
    READ_PEOPLE = "read people"
    EDIT_PEOPLE = "edit people"
    PRESS_STOP = "stop all sending"


class Role(StrEnum):
    """What a member is in a workspace."""

    ADMINISTRATOR = "administrator"
    ANALYST = "analyst"
    LEAD = "lead"
    """Leads agents: approves, and edits routing."""
    AGENT = "agent"
    VIEWER = "viewer"


_VIEWER = frozenset({Permission.READ})
_MARKER = _VIEWER | {Permission.MARK, Permission.READ_PEOPLE}
_AGENT = _MARKER | {Permission.WORK_CASES, Permission.EDIT_PEOPLE, Permission.PRESS_STOP}
_LEAD = _AGENT | {Permission.APPROVE, Permission.EDIT_ROUTING, Permission.EDIT_MONITORS, Permission.EXPORT}
_ANALYST = _MARKER | {
    Permission.EDIT_MONITORS,
    Permission.EDIT_SOURCES,
    Permission.EXPORT,
    Permission.TRAIN_MODELS,
}

ALLOWED: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: _VIEWER,
    Role.AGENT: _AGENT,
    Role.LEAD: _LEAD,
    Role.ANALYST: _ANALYST,
    Role.ADMINISTRATOR: frozenset(Permission),
}

SCOPES: dict[str, frozenset[Permission]] = {
    "posts:read": frozenset({Permission.READ}),
    "posts:write": frozenset({Permission.EDIT_SOURCES}),
    "mentions:read": frozenset({Permission.READ}),
    "mentions:write": frozenset({Permission.MARK}),
    "monitors:read": frozenset({Permission.READ}),
    "monitors:write": frozenset({Permission.EDIT_MONITORS}),
    "sources:read": frozenset({Permission.READ}),
    "sources:write": frozenset({Permission.EDIT_SOURCES}),
    "series:read": frozenset({Permission.READ}),
    "cases:read": frozenset({Permission.READ}),
    "cases:write": frozenset({Permission.WORK_CASES}),
    "people:read": frozenset({Permission.READ_PEOPLE}),
    "people:write": frozenset({Permission.EDIT_PEOPLE}),
    "drafts:read": frozenset({Permission.READ}),
    "drafts:write": frozenset({Permission.WORK_CASES}),
    "rules:read": frozenset({Permission.READ}),
    "rules:write": frozenset({Permission.EDIT_ROUTING}),
}
"""What a token may be given; a token never allows more than the member who made it may do."""


def may(role: str, permission: Permission) -> bool:
    """Whether the role allows it; an unknown role allows nothing."""
    return role in set(Role) and permission in ALLOWED[Role(role)]
