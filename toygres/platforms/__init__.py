"""Where instances live: one protocol, and the platforms by name."""
