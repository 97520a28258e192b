"""Makes the lists of parameters that may be set, from what real PostgreSQL servers say of themselves."""
