"""What a channel gave, as it came, and where to go on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
Cursor = Mapping[str, Any]
"""Where the next fetch goes on: JSON that only the connector reads."""


@dataclass(frozen=True, kw_only=True)
class Payload:
    """Bytes as they came. `meta` holds what `parse` needs besides (which endpoint, which page)."""

    body: bytes
    content_type: str = "application/json"
    url: str | None = None
    fetched_at: datetime
    headers: Mapping[str, str] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)
