"""What this product gives out itself: API tokens (store/people/api_tokens.py)."""

FORMATS: dict[str, tuple[str, ...]] = {
    "autoheal_token": (r"ah_[0-9a-f]{32}_[0-9a-f]{64}_[0-9a-f]{8}",),
}
