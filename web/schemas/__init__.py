"""The API's bodies: what is asked and what is told."""
