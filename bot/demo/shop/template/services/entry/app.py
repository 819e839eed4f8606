"""What customers talk to: product pages, search, checkout and the customer's account."""

from shoplib import HttpError, Service

service = Service(__file__)

CATALOGUE = "__CATALOGUE__"
ORDERS = "__ORDERS__"
LANGUAGES = {"en": "English", "de": "Deutsch", "fr": "Français"}
BANNERS = ("New arrivals", "Free delivery over 50", "Gifts for everybody")


def language_of(request):
    return LANGUAGES.get(request.query.get("language"), "English")


def page(request, title, **content):
    banner = BANNERS[len(title) % len(BANNERS)]
    return {"title": title, "language": language_of(request), "banner": banner, **content}


@service.get("/products")
def products(request):
    _, _, question = request.url.partition("?")
    found = service.client.get(CATALOGUE, f"/products?{question}")
    return page(request, found["category"], products=found["products"])


@service.get("/products/{id}")
def product(request):
    customer = int(request.query.get("customer", "0"))
    found = service.client.get(CATALOGUE, f"/products/{request.params[0]}")
    with service.database() as db:
        seen = db.query(
            "recent_views",
            "SELECT product_id FROM views WHERE customer = ? ORDER BY id DESC LIMIT ?",
            (customer, service.config["pages"]["recent_views"]),
        )
        db.query("insert_view", "INSERT INTO views (customer, product_id) VALUES (?, ?)", (customer, found["id"]))
    return page(request, found["name"], product=found, recent=[view["product_id"] for view in seen])


@service.get("/search")
def search(request):
    _, _, question = request.url.partition("?")
    found = service.client.get(CATALOGUE, f"/search?{question}")
    return page(request, "Search", **found)


@service.post("/checkout")
def checkout(request):
    order = request.body
    if not isinstance(order, dict) or "product" not in order:
        raise HttpError(400, "an order needs a product")
    placed = service.client.post(ORDERS, "/orders", order)
    return {"order": placed["id"], "total_cents": placed["total_cents"]}


@service.get("/account/orders")
def account_orders(request):
    customer = int(request.query.get("customer", "0"))
    found = service.client.get(ORDERS, f"/customers/{customer}/orders")
    return page(request, "Your orders", orders=found["orders"])


@service.get("/account/receipts/{order}")
def account_receipt(request):
    return page(request, "Receipt", receipt=service.client.get(ORDERS, f"/orders/{request.params[0]}/receipt"))


service.run()
