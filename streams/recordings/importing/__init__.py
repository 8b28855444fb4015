"""Public data sets as recorded streams."""
