r"""Formats in which vendors publish their secrets: prefixes, lengths and alphabets.

Written from the vendors' own documentation, one module a field. A distinctive prefix needs no word boundary before it:
escaped newlines (`\n`), terminal colours and joined strings would hide it. All expressions are for google-re2: linear
time whatever the text holds.
"""

import importlib
import pkgutil

FORMATS: dict[str, tuple[str, ...]] = {}
"""Kind to its expressions. The kind is what the placeholder says."""

CUES = {
    "azure_secret": r"[0-9]Q~[A-Za-z0-9_~.-]",
    "hashicorp_token": r"\bhv[sbr]\.[A-Za-z0-9_-]|\bs\.[A-Za-z]*[0-9]|\.atlasv1\.",
    "mailchimp_key": r"[0-9a-f]-us[0-9]",
    "mailgun_key": r"key-[0-9a-f]|[0-9a-h]-[0-9a-h]{8}-[0-9a-h]{8}",
    "telegram_token": r"[0-9]:A[A-Za-z0-9_-]{4}",
    "facebook_token": r"\bEAA[A-Za-z0-9]{4}|\bIG(?:QV|AA)|[0-9]{15}[|%][A-Za-z0-9_-]",
    "okta_token": r"\b00[A-Za-z0-9_=-]{20}",
    "webhook_url": r"hooks\.slack|/api/webhooks/|webhookb2|hooks\.zapier|chat\.googleapis",
    "maxmind_key": r"_mmk",
    "discord_token": r"\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{6}",
}
"""What must occur for kinds whose expressions do not begin with something distinctive."""

DRAWN = frozenset({"okta_token"})
"""Kinds that are long draws from capitals, small letters and digits and begin with nothing distinctive. In forty draws
one without a capital is as good as impossible; words that are joined by hyphens, as in names of files, have none.
"""

for _found in pkgutil.iter_modules(__path__):
    _formats: dict[str, tuple[str, ...]] = importlib.import_module(f"{__name__}.{_found.name}").FORMATS
    if FORMATS.keys() & _formats.keys():
        raise ValueError(f"{_found.name} names a kind that another module has: {FORMATS.keys() & _formats.keys()}")
    FORMATS |= _formats
