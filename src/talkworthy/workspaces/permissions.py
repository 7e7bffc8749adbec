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


class Role(StrEnum):
    """What a member is in a workspace."""

    ADMINISTRATOR = "administrator"
    ANALYST = "analyst"
    AGENT = "agent"
    VIEWER = "viewer"


_VIEWER = frozenset({Permission.READ})
_AGENT = _VIEWER | {Permission.MARK}
_ANALYST = _AGENT | {Permission.EDIT_MONITORS, Permission.EDIT_SOURCES, Permission.EXPORT}

ALLOWED: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: _VIEWER,
    Role.AGENT: _AGENT,
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
}
"""What a token may be given; a token never allows more than the member who made it may do."""


def may(role: str, permission: Permission) -> bool:
    """Whether the role allows it; an unknown role allows nothing."""
    return role in set(Role) and permission in ALLOWED[Role(role)]
