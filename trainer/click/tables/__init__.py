"""Click models for tables of any columns."""
