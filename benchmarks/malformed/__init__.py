"""Malformed records by the hundred thousand, each to be a dead letter with its reason."""
