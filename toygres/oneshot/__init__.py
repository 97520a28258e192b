"""Carrying out operations in the foreground of one command: no broker, and no other process of the control plane."""
