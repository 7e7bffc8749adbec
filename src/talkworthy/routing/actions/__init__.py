"""Verbs of the room that routes: each writes in a transaction and leaves its row."""
