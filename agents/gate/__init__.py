"""The truth gate: what a model drafts becomes a verdict only as far as stored results bear it."""
