"""The outside payment provider: a company of its own, so not in the shop's repository and not among its services.

It charges after the 110-190 ms that such a call takes. `{"failing_share": 0.7}` on its input makes it fail that often.
"""

import argparse
import asyncio
import json
import random
from itertools import count

from bot.demo.shop.lifetime import die_with_parent
from bot.demo.shop.streams import next_value, say, standard_input

CHOOSE = random.Random()  # noqa: S311 - latency is nothing secret


class PaymentProvider:
    def __init__(self) -> None:
        self.failing_share = 0.0
        self.numbers = count(1)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = next(
                (int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("content-length:")), 0
            )
            await reader.readexactly(length)
            await asyncio.sleep(CHOOSE.uniform(0.11, 0.19))
            if CHOOSE.random() < self.failing_share:
                await asyncio.sleep(CHOOSE.uniform(0.1, 0.4))
                self._send(writer, "503 Service Unavailable", {"error": "we have technical difficulties"})
            else:
                self._send(writer, "200 OK", {"id": f"ch_live_{next(self.numbers)}", "status": "captured"})
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    def _send(self, writer: asyncio.StreamWriter, status: str, value: object) -> None:
        content = json.dumps(value).encode()
        kind = "Content-Type: application/json\r\nConnection: close"
        head = f"HTTP/1.1 {status}\r\n{kind}\r\nContent-Length: {len(content)}\r\n\r\n"
        writer.write(head.encode() + content)


async def run(port: int) -> None:
    provider = PaymentProvider()
    server = await asyncio.start_server(provider.answer, "127.0.0.1", port)
    say({"ready": True})
    orders = await standard_input()
    while (order := await next_value(orders)) is not None:
        provider.failing_share = float(order["failing_share"])
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="provider")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    options = parser.parse_args()
    die_with_parent(options.parent)
    asyncio.run(run(options.port))


if __name__ == "__main__":
    main()
