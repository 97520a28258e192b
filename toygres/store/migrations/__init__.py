"""The schema's history; each version only adds."""
