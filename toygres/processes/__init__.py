"""The processes of the control plane: which there are, and how `up` runs them on one machine."""
