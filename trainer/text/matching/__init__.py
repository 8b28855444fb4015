"""Product matching by text."""
