"""Benchmarks: each measures its floor in the same run, and fails when it misses its bound.

Every module here but `__main__` and `document` is one, found by its name; what they share is in `frame`.
"""
