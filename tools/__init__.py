"""Commands for those who work on Toygres; none of it is in the wheel."""
