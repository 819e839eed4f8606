"""The adversarial review of a cause: what tries to refute it."""
