"""The item pipeline: catalogue records and item updates, keyed by item_id."""
