"""Pure values and rules: what an instance and an operation are."""
