"""The shared behaviour encoder and the next-item task."""
