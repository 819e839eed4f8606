"""The shop's databases as they are at the start: one SQLite file per service, filled reproducibly by the seed."""

import random
import sqlite3
import time
from contextlib import closing

from bot.demo.shop.plan import CARDS, CATEGORIES, CUSTOMERS, PRODUCTS, WORDS, ShopTopology

ORDERS = 6_000
CHARGES = 40_000
NOUNS = ("chair", "lamp", "bowl", "shelf", "mug", "frame", "kit", "case", "stand", "blanket")
COUPONS = (("SPRING10", 10), ("WELCOME5", 5), ("FRIENDS15", 15))


def fill_databases(topology: ShopTopology, seed: int) -> None:
    """Creates `data/<service>.db` of every service from the schema in its repository."""
    folder = topology.home / "data"
    folder.mkdir(parents=True, exist_ok=True)
    choose = random.Random(f"data:{seed}")  # noqa: S311 - reproducible sample data
    fillers = {"entry": _fill_entry, "catalogue": _fill_catalogue, "orders": _fill_orders, "payments": _fill_payments}
    for role, name in topology.names.items():
        schema = (topology.repository / "services" / name / "schema.sql").read_text()
        with closing(sqlite3.connect(folder / f"{name}.db", isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = OFF")
            db.executescript(schema)
            db.execute("BEGIN")
            fillers[role](db, choose)
            db.execute("COMMIT")


def _fill_entry(db: sqlite3.Connection, choose: random.Random) -> None:
    views = [(choose.randrange(CUSTOMERS), choose.randrange(1, PRODUCTS)) for _ in range(2_000)]
    db.executemany("INSERT INTO views (customer, product_id) VALUES (?, ?)", views)


def _fill_catalogue(db: sqlite3.Connection, choose: random.Random) -> None:
    pick = choose.random
    rows = [
        (
            f"{WORDS[n % len(WORDS)]} {NOUNS[n // len(WORDS) % len(NOUNS)]} {n}",
            f"{WORDS[int(pick() * len(WORDS))].title()} & Co",
            CATEGORIES[int(pick() * len(CATEGORIES))],
            int(pick() * 1_000_000),
            500 + int(pick() * 9_500),
            None if pick() < 0.4 else 5 * int(pick() * 6),
            int(pick() * 50),
        )
        for n in range(PRODUCTS)
    ]
    db.executemany(
        "INSERT INTO products (name, brand, category, popularity, price_cents, discount_percent, stock)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        rows,
    )


def _fill_orders(db: sqlite3.Connection, choose: random.Random) -> None:
    now, pick = int(time.time()), choose.random
    rows = [
        (
            int(pick() * CUSTOMERS),
            1 + int(pick() * PRODUCTS),
            1 + int(pick() * 3),
            500 + int(pick() * 20_000),
            1 + n,
            now - 90 * 86_400 + n * 1_290,
        )
        for n in range(ORDERS)
    ]
    db.executemany(
        "INSERT INTO orders (customer, product_id, quantity, total_cents, charge_id, placed_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        rows,
    )
    db.executemany("INSERT INTO coupons (code, percent) VALUES (?, ?)", COUPONS)


def _fill_payments(db: sqlite3.Connection, choose: random.Random) -> None:
    now, pick = int(time.time()), choose.random
    rows = [
        (
            int(pick() * CUSTOMERS),
            f"card-{int(pick() * CARDS):04d}",
            500 + int(pick() * 20_000),
            f"ch_{n:08x}",
            now - 90 * 86_400 + n * 190,
        )
        for n in range(CHARGES)
    ]
    db.executemany(
        "INSERT INTO charges (customer, card, amount_cents, provider_id, created_at) VALUES (?, ?, ?, ?, ?)", rows
    )
