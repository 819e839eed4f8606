"""Products: lists by category, single products, search."""

import os
import threading

from shoplib import HttpError, Service

service = Service(__file__)

PAGE_SIZE = service.config["listing"]["page_size"]
LONGEST_RESULT = service.config["search"]["longest_result"]
RECENT = os.path.join(service.run_dir, "recent-searches.txt")
found_before = {}


def final_price(product):
    discount = product["discount_percent"] or 0
    return product["price_cents"] * (100 - discount) // 100


def availability(product):
    return "in stock" if product["stock"] > 0 else "on request"


@service.get("/products")
def list_products(request):
    category = request.query.get("category", "books")
    offset = int(request.query.get("page", "0")) * PAGE_SIZE
    with service.database() as db:
        products = db.query(
            "products_by_category",
            """SELECT id, name, brand, price_cents FROM products
               WHERE category = ? ORDER BY popularity DESC LIMIT ? OFFSET ?""",
            (category, PAGE_SIZE, offset),
        )
    return {"category": category, "products": products}


@service.get("/products/{id}")
def one_product(request):
    with service.database() as db:
        product = db.one("product_by_id", "SELECT * FROM products WHERE id = ?", (int(request.params[0]),))
    if product is None:
        raise HttpError(404, f"no product {request.params[0]}")
    return {
        "id": product["id"],
        "name": product["name"],
        "price_cents": final_price(product),
        "availability": availability(product),
    }


def find(question):
    with service.database() as db:
        return db.query(
            "products_by_name",
            "SELECT id, name, brand, price_cents FROM products WHERE name >= ? AND name < ? LIMIT ?",
            (question, question + "~", LONGEST_RESULT),
        )


@service.get("/search")
def search(request):
    """Results are kept, so that the next pages of the same search need no query."""
    if request.url not in found_before:
        found_before[request.url] = find(request.query.get("q", ""))
        with open(RECENT, "a", encoding="utf-8") as recent:
            recent.write(f"{request.url}\t{request.query.get('q', '')}\n")
    found = found_before[request.url]
    return {"number": len(found), "products": found[:PAGE_SIZE]}


def prepare_recent_searches():
    """After a crash the searches of before are prepared again, so that customers do not wait for them."""
    try:
        with open(RECENT, encoding="utf-8") as recent:
            known = [line.rstrip("\n").partition("\t") for line in recent]
        for url, _, question in known:
            found_before.setdefault(url, find(question))
    except FileNotFoundError:
        return
    except MemoryError:
        service.out_of_memory("prepare_recent_searches")


service.metrics.gauge("search_results_kept", lambda: len(found_before))
threading.Thread(target=prepare_recent_searches, daemon=True).start()
service.run()
