"""HTTP only: the REST API and the page, thin on top of `toygres`."""
