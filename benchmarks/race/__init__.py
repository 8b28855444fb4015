"""`headrace bench road`: Headrace beside what a user would write instead, on one stack with one model."""
