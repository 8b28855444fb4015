"""The shopper pipeline: events and requests, keyed by user_id."""
