"""What is added to a reply when it leaves: who speaks, and that a machine helped. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Lines:
    """The workspace's lines; an empty one adds nothing. `{name}` is who sends it, `{workspace}` for whom."""

    public: str = ""
    machine: str = ""


def whole_text(text: str, lines: Lines, *, visibility: str, machine: bool, name: str, workspace: str) -> str:
    """The words as they leave: the public line under what everybody sees, the machine's line wherever one wrote."""
    added = [lines.public if visibility in ("public", "unlisted", "members") else "", lines.machine if machine else ""]
    filled = [line.replace("{name}", name).replace("{workspace}", workspace).strip() for line in added]
    if not name:  # a line that names nobody says nothing
        filled = ["" if "{name}" in line else given for line, given in zip(added, filled, strict=True)]
    missing = [line for line in dict.fromkeys(filled) if line and line not in text]
    return "\n\n".join([text.rstrip(), *missing]) if missing else text
