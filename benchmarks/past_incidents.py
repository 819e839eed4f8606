"""Whether the past makes the present slow: Home and `/autoheal incidents` with 50 and with 50,000 past incidents.

    python benchmarks/past_incidents.py [--past 50000] [--rounds 40] [--out FILE]

Both tenants have a dozen open incidents, with a finished run each as the past ones have, in SQLite in a folder of this
run's own. Slack is a stand-in that answers at once, so what is timed is ours. The rounds of the two tenants take turns.
Exit code 1 when the median with the long past is more than 1.2 times the other.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

sys.path[0] = str(Path(__file__).resolve().parents[1])  # not this folder, whose store.py is no package

from agents.connecting.toolbox import Toolbox
from agents.permission import Person
from handlers.slack.clients import SlackClients
from handlers.slack.command import CommandCall, discover_commands
from handlers.slack.context import HandlerContext, Reply
from handlers.slack.delivery import Delivery
from handlers.slack.home import show_home
from store import incidents
from store.database.migrations import migrate, migrate_keyring
from store.database.session import Database
from store.ids import IncidentId, TenantId, new_id
from store.keys.local_keys import LocalFileKeys
from store.people.users import Role, ensure_user
from store.secrets.redaction import Redacted
from store.tenancy.tenants import create_tenant

NOW: Final = datetime(2026, 1, 20, tzinfo=UTC)
FEW: Final = 50
OPEN: Final = 12
TARGET: Final = 1.2
_AT_ONCE: Final = 2_000


class _Slack:
    """Answers what Home and the list ask of Slack."""

    async def conversations_info(self, **_: object) -> dict[str, Any]:
        return {"channel": {"is_private": False}}

    async def chat_getPermalink(self, *, channel: str, message_ts: str) -> dict[str, str]:  # noqa: N802 - Slack's name
        return {"permalink": f"https://slack.example/archives/{channel}/p{message_ts.replace('.', '')}"}

    async def views_publish(self, **_: object) -> None:
        return None


class _Clients:
    async def client_for(self, _tenant: TenantId) -> _Slack:
        return _Slack()


class _Mouth:
    async def respond(self, _url: str, _message: object) -> bool:
        return True


async def _nothing(_tenant: TenantId) -> Toolbox:
    return Toolbox()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--past", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="autoheal-benchmark-") as folder:
        result = asyncio.run(measure(Path(folder), chosen.past, chosen.rounds))
    print(json.dumps(result), flush=True)
    if chosen.out:
        chosen.out.write_text(json.dumps(result) + "\n")
    return 0 if all(value <= TARGET for key, value in result.items() if key.endswith("_ratio")) else 1


async def measure(folder: Path, past: int, rounds: int) -> dict[str, float]:
    content, keyring = (f"sqlite+aiosqlite:///{folder / name}.db" for name in ("content", "keyring"))
    await migrate(content)
    await migrate_keyring(keyring)
    keys = LocalFileKeys(folder / "master.key")
    db = await Database.open(content, keyring_url=keyring, keys=keys, clock=lambda: NOW)
    try:
        context = HandlerContext(
            db=db,
            incident_service=cast("Any", None),
            delivery=cast("Delivery", _Mouth()),
            clients=cast("SlackClients", _Clients()),
            toolbox_for=_nothing,
            connecting=cast("Any", None),
            disconnecting=cast("Any", None),
            clock=lambda: NOW,
        )
        people = {count: await fill(db, count) for count in (FEW, past)}
        doors: dict[str, Callable[[Person], Awaitable[None]]] = {
            "home": lambda person: show_home(person, context),
            "list": lambda person: _list(person, context),
        }
        told: dict[str, float] = {}
        for name, door in doors.items():
            few, many = await _in_turns(door, people[FEW], people[past], rounds)
            told |= {f"{name}_few_ms": few, f"{name}_many_ms": many, f"{name}_ratio": round(many / few, 3)}
        return told
    finally:
        await db.close()


async def fill(db: Database, past: int) -> Person:
    """A tenant with so many past incidents and a dozen that are open."""
    tenant = await create_tenant(db, name=f"past {past}")
    async with db.tenant(tenant) as s:
        user = await ensure_user(s, slack_user_id="U0MEMBER", role=Role.MEMBER)
    for start in range(0, past, _AT_ONCE):
        async with db.tenant(tenant) as s:
            for number in range(start, min(past, start + _AT_ONCE)):
                made = await _open(s, number)
                await incidents.resolve_incident(s, made)
    async with db.tenant(tenant) as s:
        for number in range(past, past + OPEN):
            await _open(s, number)
    return Person(tenant_id=tenant, user_id=user.id, slack_user_id="U0MEMBER", role=Role.MEMBER)


async def _open(s: Any, number: int) -> IncidentId:
    made = await incidents.open_incident(
        s,
        id=IncidentId(new_id()),
        title=Redacted.ours("checkout fails"),
        channel_id=f"C{number % 40}",
        thread_ts=f"{number}.1",
        opened_by=None,
    )
    await incidents.set_service(s, made.id, "checkout")
    return made.id


async def _list(person: Person, context: HandlerContext) -> None:
    reply = Reply(
        delivery=context.delivery,
        tenant=person.tenant_id,
        key="bench",
        slack_user_id=person.slack_user_id,
        channel_id="C1",
        thread_ts=None,
        response_url="https://slack.example/respond",
    )
    call = CommandCall(person=person, channel_id="C1", rest="", reply=reply)
    await discover_commands()["incidents"].run(call, context)


async def _in_turns(
    door: Callable[[Person], Awaitable[None]], few: Person, many: Person, rounds: int
) -> tuple[float, float]:
    """Medians in milliseconds."""
    took: dict[int, list[float]] = {0: [], 1: []}
    for _ in range(rounds + 3):
        for place, person in enumerate((few, many)):
            started = time.perf_counter()
            await door(person)
            took[place].append((time.perf_counter() - started) * 1000)
    return round(statistics.median(took[0][3:]), 2), round(statistics.median(took[1][3:]), 2)


if __name__ == "__main__":
    sys.exit(main())
