"""States and the ways between them, the row that each change leaves, and due rows that one worker claims."""
