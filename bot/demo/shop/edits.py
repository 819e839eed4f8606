"""Changes to the shop's source, as its team would commit them: ordinary ones, and those which break something.

An edit replaces pieces of text that occur exactly once in a file of the template. Messages are neutral: nothing but the diff
and its effect tells a harmless change from a harmful one. HISTORY is the work of the past days; ORDINARY is deployed while
the shop runs; the rest is chosen by the scenarios.
"""

from dataclasses import dataclass

from bot.demo.shop.plan import Role


@dataclass(frozen=True, kw_only=True)
class Edit:
    role: Role
    file: str
    message: str
    changes: tuple[tuple[str, str], ...]


def _edit(role: Role, file: str, message: str, *changes: tuple[str, str]) -> Edit:
    return Edit(role=role, file=file, message=message, changes=changes)


HISTORY = (
    _edit(
        "entry", "app.py", "Mention returns in the banners",
        ('"Gifts for everybody")', '"Gifts for everybody", "Returns within 30 days")'),
    ),
    _edit("entry", "config.toml", "Show more recent views", ("recent_views = 5", "recent_views = 8")),
    _edit(
        "catalogue", "app.py", "Say when few are left",
        ('"in stock" if product["stock"] > 0', '"few left" if 0 < product["stock"] < 3 else "in stock" if product["stock"] > 0'),
    ),
    _edit("catalogue", "config.toml", "Feature more brands", ("featured_brands = 4", "featured_brands = 6")),
    _edit("orders", "config.toml", "Summaries over four months", ("summary_days = 90", "summary_days = 120")),
    _edit(
        "orders", "app.py", "Clearer message for a missing order",
        ('f"no order {request.params[0]}"', 'f"there is no order {request.params[0]}"'),
    ),
    _edit("payments", "config.toml", "Keep receipts longer", ("receipt_days = 30", "receipt_days = 60")),
    _edit(
        "payments", "app.py", "Clearer message for a missing charge",
        ('f"no charge {request.params[0]}"', 'f"there is no charge {request.params[0]}"'),
    ),
)  # fmt: skip

ORDINARY = (
    _edit("entry", "app.py", "Add Spanish pages", ('"fr": "Français"}', '"fr": "Français", "es": "Español"}')),
    _edit(
        "catalogue", "app.py", "Update product page",
        ('        "availability": availability(product),\n',
         '        "availability": availability(product),\n        "brand": product["brand"],\n'),
    ),
    _edit(
        "catalogue", "app.py", "Update search answer",
        ('return {"number": len(found), "products"', 'return {"number": len(found), "complete": len(found) < LONGEST_RESULT, "products"'),
    ),
    _edit("orders", "app.py", "Update receipts", ('"SELECT id, total_cents, charge_id FROM', '"SELECT id, quantity, total_cents, charge_id FROM')),
    _edit("payments", "config.toml", "Adjust settlement batches", ("batch_size = 200", "batch_size = 150")),
    _edit("payments", "app.py", "Update charge details", ('"SELECT id, amount_cents, provider_id FROM', '"SELECT id, customer, amount_cents, provider_id FROM')),
)  # fmt: skip

# Settings that may change at any time and matter to nobody: when ORDINARY is used up, their numbers still move.
TUNABLE: dict[Role, tuple[str, str]] = {
    "entry": ("banner_rotation_s", "Adjust banner rotation"),
    "catalogue": ("featured_brands", "Adjust featured brands"),
    "orders": ("summary_days", "Adjust summaries"),
    "payments": ("receipt_days", "Adjust receipts"),
}

# Really slow SQL: each reads a whole table for every row it returns.
SLOW = (
    _edit(
        "catalogue", "app.py", "Update product listing",
        ('"""SELECT id, name, brand, price_cents FROM products\n               WHERE category = ?',
         '"""SELECT id, name, brand, price_cents,\n'
         "                 (SELECT COUNT(*) FROM products other WHERE trim(other.brand) = products.brand AND other.stock > 0) AS of_brand\n"
         "               FROM products\n               WHERE category = ?"),
    ),
    _edit(
        "orders", "app.py", "Update order history",
        ('"""SELECT id, product_id, quantity, total_cents, placed_at FROM orders\n               WHERE customer = ?',
         '"""SELECT id, product_id, quantity, total_cents, placed_at,\n'
         "                 (SELECT COUNT(*) FROM orders other WHERE other.product_id / 10 = orders.product_id / 10) AS also_bought\n"
         "               FROM orders\n               WHERE +customer = ?"),
    ),
    _edit(
        "payments", "app.py", "Update card check",
        ('"SELECT COUNT(*) AS number FROM charges WHERE card = ? AND created_at > ?",',
         '"""SELECT COUNT(DISTINCT same.id) AS number FROM charges, charges AS same\n'
         "           WHERE substr(charges.card, -4) = substr(?, -4) AND charges.created_at > ? - 4320000\n"
         '             AND +same.customer = charges.customer AND same.created_at >= charges.created_at""",'),
    ),
)  # fmt: skip

CUTS = (
    _edit("orders", "config.toml", "Adjust database settings", ("pool_size = 16", "pool_size = 1")),
    _edit("payments", "config.toml", "Adjust database settings", ("pool_size = 12", "pool_size = 1")),
    _edit("orders", "config.toml", "Adjust client settings", ("timeout_s = 2.0", "timeout_s = 0.1")),
    _edit("payments", "config.toml", "Adjust client settings", ("timeout_s = 0.8", "timeout_s = 0.1")),
    _edit("entry", "config.toml", "Adjust client settings", ("timeout_s = 3.0", "timeout_s = 0.12")),
)

MISTAKES = (
    _edit(
        "catalogue", "app.py", "Tidy price calculation",
        ('    discount = product["discount_percent"] or 0\n    return product["price_cents"] * (100 - discount) // 100',
         '    return product["price_cents"] * (100 - product["discount_percent"]) // 100'),
    ),
    _edit(
        "orders", "app.py", "Tidy coupon handling",
        ('    return coupon["percent"] if coupon else 0', '    return min(coupon["percent"], 50)'),
    ),
    _edit(
        "payments", "app.py", "Tidy amount formatting",
        ("    return f\"{cents / 100:.{MINOR_UNITS.get(currency, 2)}f}\"",
         '    digits = MINOR_UNITS[currency]\n    return f"{cents / 100:.{digits}f}"'),
    ),
    _edit(
        "entry", "app.py", "Tidy language choice",
        ('    return LANGUAGES.get(request.query.get("language"), "English")', '    return LANGUAGES[request.query.get("language", "en")]'),
    ),
)  # fmt: skip

# What these keep is never let go.
KEEPERS = (
    _edit(
        "catalogue", "app.py", "Reuse assembled listings",
        ("found_before = {}\n", "found_before = {}\nassembled = {}\n"),
        ('    with service.database() as db:\n        products = db.query(\n            "products_by_category"',
         '    if request.url in assembled:\n        return {"category": category, "products": assembled[request.url][offset : offset + PAGE_SIZE]}\n'
         '    with service.database() as db:\n        products = db.query(\n            "products_by_category"'),
        ("ORDER BY popularity DESC LIMIT ? OFFSET ?\"\"\",\n            (category, PAGE_SIZE, offset),\n        )\n"
         '    return {"category": category, "products": products}',
         'ORDER BY popularity DESC""",\n            (category,),\n        )\n    assembled[request.url] = products\n'
         '    return {"category": category, "products": products[offset : offset + PAGE_SIZE]}'),
    ),
    _edit(
        "orders", "app.py", "Reuse buffers for order histories",
        ("import time\n", "import json\nimport time\n"),
        ("journal = Journal(", "buffers = []\njournal = Journal("),
        ('    return {"customer": customer, "orders": orders}\n',
         "    buffer = next((known for known in buffers if len(known) == 0), None)\n"
         "    if buffer is None:\n        buffer = bytearray(b\" \" * 1_000_000)\n        buffers.append(buffer)\n"
         "    content = json.dumps(orders).encode()\n    buffer[: len(content)] = content\n"
         '    return {"customer": customer, "orders": json.loads(buffer)}\n'),
    ),
)  # fmt: skip

SETTLE_RARELY = _edit("payments", "config.toml", "Adjust settlement settings", ("interval_s = 1.0", "interval_s = 900.0"))

# Plausible, on the path of the symptom, and innocent.
INNOCENT: dict[Role, Edit] = {
    "orders": _edit(
        "orders", "app.py", "Update order totals",
        ('    total = product["price_cents"] * quantity\n    return total - total * discount // 100',
         '    total = product["price_cents"] * quantity\n    reduction = round(total * discount / 100)\n    return max(total - reduction, 0)'),
    ),
    "payments": _edit(
        "payments", "app.py", "Update charge request",
        ('{"card": wanted["card"], "currency": wanted["currency"], "amount": ',
         '{"card": wanted["card"].strip(), "currency": wanted["currency"].upper(), "capture": True, "amount": '),
    ),
}  # fmt: skip
