"""Rows of the online store in bulk, behind their fences."""
