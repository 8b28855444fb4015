"""A shopper's features and the folds that update them."""
