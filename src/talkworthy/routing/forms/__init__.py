"""Forms of the room that routes."""
