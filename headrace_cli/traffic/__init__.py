"""Commands on topics, recorded streams and features."""
