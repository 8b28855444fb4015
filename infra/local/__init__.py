"""Kafka, Valkey and Triton on this machine, from installed packages alone: no Docker, no Java, no root."""
