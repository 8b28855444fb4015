"""Rows in memory, and whether the online store still holds them."""
