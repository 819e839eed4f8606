"""Payments, shops and parcels."""

FORMATS: dict[str, tuple[str, ...]] = {
    "stripe_key": (
        r"(?:sk|rk|pk)_(?:live|test|prod)_[A-Za-z0-9]{10,}",
        r"\bwhsec_[A-Za-z0-9+/=]{24,}",
    ),
    "flutterwave_key": (r"FLW(?:SEC|PUB)K(?:_TEST)?-[0-9a-zA-Z-]{12,}",),
    "gocardless_token": (r"\blive_[A-Za-z0-9_=-]{40}",),
    "lob_key": (r"\b(?:live|test)_(?:pub_)?[0-9a-f]{31,35}\b",),
    "shippo_token": (r"shippo_(?:live|test)_[0-9a-fA-F]{40}",),
    "plaid_token": (r"access-(?:sandbox|development|production)-[0-9a-f]{8}-[0-9a-f-]{27}",),
    "square_token": (
        r"\bEAAA[A-Za-z0-9_-]{22,}",
        r"sq0[a-z]{3}-[A-Za-z0-9_-]{22,}",
    ),
    "shopify_token": (r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",),
    "duffel_token": (r"duffel_(?:test|live)_[A-Za-z0-9_=-]{40,}",),
    "easypost_key": (r"EZ[AT]K[A-Za-z0-9]{54}",),
    "settlemint_token": (r"\bsm_[aps]at_[A-Za-z0-9]{16}",),
}
