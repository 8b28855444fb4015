"""The format of recorded streams: read and written as JSON Lines."""
