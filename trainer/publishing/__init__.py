"""From trained modules to a served version."""
