"""Orders: placing them, a customer's history, receipts."""

import time

from shoplib import HttpError, Journal, Service

service = Service(__file__)

CATALOGUE = "__CATALOGUE__"
PAYMENTS = "__PAYMENTS__"
HISTORY = service.config["history"]["orders_shown"]
journal = Journal(service.run_dir, service.metrics)


def discount_of(db, code):
    coupon = db.one("coupon_by_code", "SELECT percent FROM coupons WHERE code = ?", (code,))
    return coupon["percent"] if coupon else 0


def total_of(product, quantity, discount):
    total = product["price_cents"] * quantity
    return total - total * discount // 100


@service.post("/orders")
def place_order(request):
    order = request.body
    quantity = int(order.get("quantity", 1))
    if quantity < 1:
        raise HttpError(400, "an order needs a quantity of at least 1")
    journal.append({"at": time.time(), "customer": order["customer"], "product": order["product"], "note": order.get("note")})
    with service.database() as db:
        product = service.client.get(CATALOGUE, f"/products/{order['product']}")
        total = total_of(product, quantity, discount_of(db, order.get("coupon")))
        charge = service.client.post(
            PAYMENTS,
            "/charges",
            {
                "customer": order["customer"],
                "card": order["card"],
                "currency": order.get("currency", "EUR"),
                "amount_cents": total,
                "reference": order.get("reference"),
            },
        )
        row = db.one(
            "insert_order",
            "INSERT INTO orders (customer, product_id, quantity, total_cents, charge_id, placed_at) VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
            (order["customer"], order["product"], quantity, total, charge["id"], int(time.time())),
        )
    return {"id": row["id"], "total_cents": total}


@service.get("/customers/{id}/orders")
def history(request):
    customer = int(request.params[0])
    with service.database() as db:
        orders = db.query(
            "orders_of_customer",
            """SELECT id, product_id, quantity, total_cents, placed_at FROM orders
               WHERE customer = ? ORDER BY placed_at DESC LIMIT ?""",
            (customer, HISTORY),
        )
    return {"customer": customer, "orders": orders}


@service.get("/orders/{id}/receipt")
def receipt(request):
    with service.database() as db:
        order = db.one("order_by_id", "SELECT id, total_cents, charge_id FROM orders WHERE id = ?", (int(request.params[0]),))
    if order is None:
        raise HttpError(404, f"no order {request.params[0]}")
    return {"order": order["id"], "charge": service.client.get(PAYMENTS, f"/charges/{order['charge_id']}")}


service.run()
