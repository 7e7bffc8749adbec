"""What an action refuses."""


class Refused(ValueError):
    """It cannot be done; the message says why and what can be done instead."""
