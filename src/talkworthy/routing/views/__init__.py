"""Pages of the room that routes."""
