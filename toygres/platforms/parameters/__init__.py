"""PostgreSQL's parameters that may be set: a list for each major version, and whether a value fits."""
