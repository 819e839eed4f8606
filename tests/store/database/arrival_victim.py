"""The process that gets killed: it accepts three arrivals and moves them, and dies at a boundary.

`python arrival_victim.py URL KEYRING_URL KEY_FILE TENANT BOUNDARY` writes a JSON line for what it would acknowledge.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from store.database.session import Database
from store.ids import TenantId
from store.inbox import Arrival, Inbox
from store.keys.local_keys import LocalFileKeys


async def main(url: str, keyring_url: str, key_file: str, tenant: str, boundary: str) -> None:
    db = await Database.open(url, keyring_url=keyring_url, keys=LocalFileKeys(Path(key_file)))
    seen = 0

    def observe(reached: str) -> None:
        """The second arrival is killed before its acknowledgement; the others are moved before anything happens."""
        nonlocal seen
        seen += reached == "accepted"
        if reached == boundary and (boundary != "accepted" or seen == 2):
            os.kill(os.getpid(), signal.SIGKILL)

    inbox = Inbox(db, observe=observe)
    for number in range(3):
        arrival = Arrival(source="slack", external_id=f"Ev{number}", kind="mention", payload={"n": number})
        accepted = await inbox.accept(TenantId(tenant), arrival)
        line = {"external_id": arrival.external_id, "inbox_id": accepted.inbox_id}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
    await inbox.deliver(TenantId(tenant), accepted.inbox_id)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
