"""What a model must beat: popularity, what the shopper had, co-visitation and item neighbours, each tuned."""
