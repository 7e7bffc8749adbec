"""The REST interface: read what was asked, call an action or a selector, answer. It has no rules of its own."""
