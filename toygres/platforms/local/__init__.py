"""The local platform: real PostgreSQL servers, each a process of this machine."""
