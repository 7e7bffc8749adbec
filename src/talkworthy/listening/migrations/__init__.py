"""Schema changes of the desk."""
