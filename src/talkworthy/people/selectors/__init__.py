"""Reads of people, asked as a viewer."""

from talkworthy.people.selectors.facts import DeskFacts, desk_facts
from talkworthy.people.selectors.profiles import (
    Profile,
    accounts_of,
    identity_or_404,
    person_or_404,
    persons,
    profile_of,
    timeline,
)

__all__ = [
    "DeskFacts",
    "Profile",
    "accounts_of",
    "desk_facts",
    "identity_or_404",
    "person_or_404",
    "persons",
    "profile_of",
    "timeline",
]
