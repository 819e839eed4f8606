"""The checks, one file a promise."""
