"""Topics, groups and members, by kafka-python."""
