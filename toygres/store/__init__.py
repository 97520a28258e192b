"""The metadata DB: one file of statements for each noun. The only place that imports SQLAlchemy."""
