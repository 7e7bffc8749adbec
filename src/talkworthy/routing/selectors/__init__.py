"""Reads of the room that routes, asked as a viewer."""
