"""The customers: a steady stream of requests to the entry service; each outcome is one JSON line on standard output.

The stream is open: a request starts when it is due, however slow the others are. `{"rates": {kind: per second}}` on
its input changes the mix at once. Kinds are the entry service's routes, and some unusual customers.
"""

import argparse
import asyncio
import json
import random
import time

from bot.demo.shop.lifetime import die_with_parent
from bot.demo.shop.plan import CARDS, CATEGORIES, CUSTOMERS, PRODUCTS, WORDS
from bot.demo.shop.streams import next_value, say, standard_input

TIMEOUT_S = 5.0
KNOWN_ORDERS = 6_000
LONG_TEXT = "Please deliver to the loading bay behind the building. " * 7_000
CHOOSE = random.Random()  # noqa: S311 - shoppers, not secrets


def order_of(kind: str) -> dict[str, object]:
    return {
        "customer": CHOOSE.randrange(CUSTOMERS),
        "product": CHOOSE.randrange(1, PRODUCTS),
        "quantity": CHOOSE.choice((1, 1, 1, 2, 3)),
        "coupon": CHOOSE.choice(("SPRING10", "WELCOME5", "FRIENDS15", "OLDCODE", None)),
        "currency": CHOOSE.choice(("EUR", "EUR", "USD", "SEK")),
        "card": f"card-{CHOOSE.randrange(CARDS):04d}",
        "note": LONG_TEXT if kind == "long note" else None,
        "reference": LONG_TEXT if kind == "long reference" else "web",
    }


def request_of(kind: str) -> tuple[str, str, bytes]:
    """Method, URL and body of one request of this kind."""
    customer = CHOOSE.randrange(CUSTOMERS)
    match kind:
        case "/products":
            category, page = CHOOSE.choice(CATEGORIES), CHOOSE.choice((0, 0, 0, 1, 2))
            url = f"/products?category={category}&page={page}&customer={customer}"
        case "/products/{id}":
            language = CHOOSE.choice(("", "", "", "&language=de", "&language=fr", "&language=sv"))
            url = f"/products/{CHOOSE.randrange(1, PRODUCTS)}?customer={customer}{language}"
        case "/search":
            url = f"/search?q={CHOOSE.choice(WORDS)}"
        case "crawl":
            url = f"/search?q={CHOOSE.choice(WORDS)}&sid={CHOOSE.randrange(10**9)}"
        case "/account/orders":
            url = f"/account/orders?customer={customer}"
        case "/account/receipts/{order}":
            url = f"/account/receipts/{CHOOSE.randrange(1, KNOWN_ORDERS)}"
        case _:
            return "POST", "/checkout", json.dumps(order_of(kind)).encode()
    return "GET", url, b""


async def send(port: int, kind: str) -> int:
    """The HTTP status. Raises OSError or TimeoutError when there is no answer."""
    method, url, body = request_of(kind)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        head = f"{method} {url} HTTP/1.1\r\nHost: shop\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        status = await reader.readline()
        await reader.read()
        return int(status.split()[1])
    except IndexError:
        raise ConnectionError("the connection ended without an answer") from None
    finally:
        writer.close()


async def visit(port: int, kind: str) -> None:
    began = time.perf_counter()
    try:
        status = await asyncio.wait_for(send(port, kind), TIMEOUT_S)
    except (OSError, TimeoutError):
        status = 0
    say({"kind": kind, "status": status, "seconds": round(time.perf_counter() - began, 4)})


async def keep_visiting(port: int, rates: dict[str, float]) -> None:
    """One task for all kinds; each kind's next request is due on its own clock, with some jitter."""
    due: dict[str, float] = {}
    under_way: set[asyncio.Task[None]] = set()
    while True:
        now = time.monotonic()
        for kind, rate in rates.items():
            if rate <= 0:
                due.pop(kind, None)
                continue
            if due.setdefault(kind, now + CHOOSE.random() / rate) <= now:
                due[kind] = max(due[kind], now - 0.5) + CHOOSE.uniform(0.5, 1.5) / rate
                task = asyncio.create_task(visit(port, kind))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
        await asyncio.sleep(max(0.001, min(due.values(), default=now + 0.1) - time.monotonic()) if due else 0.1)


async def run(port: int, rates: dict[str, float]) -> None:
    visiting = asyncio.create_task(keep_visiting(port, rates))
    orders = await standard_input()
    while (order := await next_value(orders)) is not None:
        rates.clear()
        rates.update(order["rates"])
    visiting.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(prog="load")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rates", type=json.loads, required=True)
    parser.add_argument("--parent", type=int, required=True)
    options = parser.parse_args()
    die_with_parent(options.parent)
    asyncio.run(run(options.port, options.rates))


if __name__ == "__main__":
    main()
