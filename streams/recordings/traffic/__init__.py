"""Streams to and from Kafka, for commands and tests; the road itself uses another client."""
