"""The metadata DB: one file of statements for each noun."""
