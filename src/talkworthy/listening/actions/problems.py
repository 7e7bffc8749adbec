"""What can be wrong with what a person asked for, in words for them."""


class Refused(ValueError):
    """It was not done; the message says why and what can be done."""
