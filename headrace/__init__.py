"""The ground floor: messages, topics, settings, errors, partitioning, arrays and the format of recorded streams."""
