"""What served models answer: checked before it is used, and counted where it may not be."""
