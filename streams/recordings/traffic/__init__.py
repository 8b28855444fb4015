"""Streams to and from Kafka, for commands and tests; the pipelines use another client."""
