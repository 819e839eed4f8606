"""What the store keeps of services: nothing that a person said is overwritten, and tenants share nothing."""

from typing import Any

import pytest

from store.database.session import Database
from store.incidents import catalog
from store.incidents.catalog import CatalogStatement
from store.tenancy import connections


async def test_what_sources_say_adds_up_and_a_persons_word_stays(database: Database, two_tenants: Any) -> None:
    async with database.tenant(two_tenants[0]) as s:
        first = await catalog.take_in(
            s, [CatalogStatement(name="checkout", origin="connection", aliases=("job:shop",))]
        )
        assert [one.name for one in first] == ["checkout"]
        again = [CatalogStatement(name="checkout", origin="traces", aliases=("span:x",), repository="acme/shop")]
        assert await catalog.take_in(s, again) == []
        (known,) = await catalog.services(s, "known")
        assert (known.aliases, known.repository) == (("job:shop", "span:x"), "acme/shop")
        await catalog.decide(s, "checkout", by=None, aliases=("mine",), owners=("@a",))
        await catalog.take_in(s, [CatalogStatement(name="checkout", origin="traces", aliases=("span:y",))])
        (known,) = await catalog.services(s)
        assert (known.aliases, known.owners, known.repository) == (("mine",), ("@a",), None)
    async with database.tenant(two_tenants[1], readonly=True) as s:
        assert await catalog.services(s) == []
        assert await connections.version(s) == 0


async def test_every_change_moves_the_version(database: Database, two_tenants: Any) -> None:
    async with database.tenant(two_tenants[0]) as s:
        seen = [await connections.version(s)]
        await catalog.take_in(s, [CatalogStatement(name="a", origin="connection")])
        seen.append(await connections.version(s))
        await catalog.decide(s, "a", by=None, state="dismissed")
        seen.append(await connections.version(s))
        saved = await connections.save_connection(s, connector="jaeger", config={}, credentials={})
        seen.append(await connections.version(s))
        await connections.disconnect(s, saved.id)
        seen.append(await connections.version(s))
    assert seen == sorted(set(seen))


async def test_what_is_more_than_a_tenant_can_have_is_left_out(
    sqlite_database: Database, two_tenants: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "MOST", 2)
    async with sqlite_database.tenant(two_tenants[0]) as s:
        added = await catalog.take_in(s, [CatalogStatement(name=f"s{n}", origin="connection") for n in range(5)])
        assert len(added) == 2
