"""Payments: charges cards through the outside provider and settles the charges in batches."""

import threading
import time

from shoplib import HttpError, Journal, Service

service = Service(__file__)

PROVIDER = "__PROVIDER__"
LIMITS = service.config["limits"]
SETTLEMENT = service.config["settlement"]
MINOR_UNITS = {"EUR": 2, "USD": 2, "JPY": 0}
journal = Journal(service.run_dir, service.metrics)
unsettled = []


def amount_in_units(cents, currency):
    return f"{cents / 100:.{MINOR_UNITS.get(currency, 2)}f}"


def charges_today(db, card):
    row = db.one(
        "charges_of_card",
        "SELECT COUNT(*) AS number FROM charges WHERE card = ? AND created_at > ?",
        (card, int(time.time()) - 86400),
    )
    return row["number"]


@service.post("/charges")
def charge(request):
    wanted = request.body
    if len(unsettled) >= SETTLEMENT["longest_queue"]:
        raise HttpError(503, f"settlement queue is full ({len(unsettled)} of {SETTLEMENT['longest_queue']} charges wait)")
    journal.append({"at": time.time(), "card": wanted["card"], "amount_cents": wanted["amount_cents"], "reference": wanted.get("reference")})
    with service.database() as db:
        if charges_today(db, wanted["card"]) > LIMITS["charges_per_card_and_day"]:
            raise HttpError(409, "too many charges on this card today")
        answer = service.client.post(
            PROVIDER,
            "/v1/charges",
            {"card": wanted["card"], "currency": wanted["currency"], "amount": amount_in_units(wanted["amount_cents"], wanted["currency"])},
        )
        row = db.one(
            "insert_charge",
            "INSERT INTO charges (customer, card, amount_cents, provider_id, created_at) VALUES (?, ?, ?, ?, ?) RETURNING id",
            (wanted["customer"], wanted["card"], wanted["amount_cents"], answer["id"], int(time.time())),
        )
    unsettled.append(row["id"])
    return {"id": row["id"]}


@service.get("/charges/{id}")
def one_charge(request):
    with service.database() as db:
        found = db.one("charge_by_id", "SELECT id, amount_cents, provider_id FROM charges WHERE id = ?", (int(request.params[0]),))
    if found is None:
        raise HttpError(404, f"no charge {request.params[0]}")
    return found


def settle():
    db = service.pool.extra_connection()
    while True:
        time.sleep(SETTLEMENT["interval_s"])
        batch = unsettled[: SETTLEMENT["batch_size"]]
        marks = ",".join("?" * len(batch))
        db.query("settle_charges", f"UPDATE charges SET settled = 1 WHERE id IN ({marks})", batch)
        del unsettled[: len(batch)]


service.metrics.gauge("settlement_queue_length", lambda: len(unsettled))
threading.Thread(target=settle, daemon=True).start()
service.run()
