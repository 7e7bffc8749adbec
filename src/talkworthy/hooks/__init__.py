"""Every place where rooms above, and other packages, may join."""

from talkworthy.hooks.manager import hooks, joins

__all__ = ["hooks", "joins"]
