"""The sample shop, really running: shopctl, what its surfaces tell, breaking by hand, the end of all its processes."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.demo.shop import SCENARIOS, Shop, ShopDescription, ShopError
from bot.demo.shop.control import ask_async
from bot.demo.shop.edits import MISTAKES
from bot.demo.shop.repository import ShopRepository

pytestmark = pytest.mark.asyncio(loop_scope="module")

TELLING = re.compile(
    rf"{'|'.join(SCENARIOS)}|scenario|referee|\bfault|inject|chaos|\bbroken\b|leak|surge|quota|innocent|healable",
    re.IGNORECASE,
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    running = await Shop.start(tmp_path_factory.mktemp("shop"), seed=11)
    yield running
    await running.stop()


@pytest.fixture
def described(shop: Shop) -> ShopDescription:
    return shop.describe()


def named(shop: Shop, role: str) -> str:
    return next(name for known, name in shop.topology.names.items() if known == role)


async def shopctl(described: ShopDescription, *arguments: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run, (*described.shopctl, *arguments), capture_output=True, text=True, check=False, cwd="/"
    )


async def status(described: ShopDescription, service: str) -> dict[str, Any]:
    done = await shopctl(described, "status", service, "--json")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


async def fetch(url: str, body: object = None) -> tuple[int, str]:
    def call() -> tuple[int, str]:
        content = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data=content), timeout=60) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()

    return await asyncio.to_thread(call)


async def test_metrics_have_standard_names_and_real_values(shop: Shop, described: ShopDescription) -> None:
    url = next(service.url for service in described.services if service.name == described.entry)
    assert (await fetch(f"{url}/products?category=books"))[0] == 200
    assert (await fetch(f"{url}/products/5?customer=1"))[0] == 200
    order = {"customer": 1, "product": 5, "quantity": 1, "card": "card-0001"}
    assert (await fetch(f"{url}/checkout", order))[0] == 200
    texts = {service.name: (await fetch(service.metrics_url))[1] for service in described.services}
    entry, payments = texts[described.entry], texts[named(shop, "payments")]
    assert 'http_requests_total{route="/products",method="GET",status="200"}' in entry
    assert 'http_request_duration_seconds_bucket{route="/checkout",le="+Inf"}' in entry
    assert f'http_client_requests_total{{peer="{described.provider}",status="200"}}' in payments
    assert 'db_query_duration_seconds_count{query="charges_of_card"}' in payments
    assert "journal_file_bytes " in payments
    for text in texts.values():
        for name in ("db_pool_size", "db_pool_in_use", "http_requests_in_flight", "process_resident_memory_bytes",
                     "process_start_time_seconds", "process_open_fds", "db_pool_wait_seconds_count"):  # fmt: skip
            assert re.search(rf"^{name} \d", text, re.MULTILINE), name
        assert not TELLING.search(text)


async def test_logs_are_json_lines_that_follow_a_request_through_the_services(
    shop: Shop, described: ShopDescription
) -> None:
    url = next(service.url for service in described.services if service.name == described.entry)
    request = urllib.request.Request(f"{url}/account/receipts/7", headers={"X-Trace-Id": "abc123"})  # noqa: S310
    await asyncio.to_thread(lambda: urllib.request.urlopen(request, timeout=60).read())  # noqa: S310
    for role in ("entry", "orders", "payments"):
        name = named(shop, role)
        lines = [json.loads(line) for line in shop.topology.log(name).read_text().splitlines()]
        mine = [line for line in lines if line["trace_id"] == "abc123"]
        assert mine
        assert mine[0]["service"] == name
        assert mine[0]["level"] == "INFO"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", mine[0]["time"])


async def test_status_tells_what_runs(shop: Shop, described: ShopDescription) -> None:
    done = await shopctl(described, "status", "--json")
    services = json.loads(done.stdout)["services"]
    assert set(services) == {service.name for service in described.services}
    for name, one in services.items():
        assert one["state"] == "running"
        assert one["restarts"] == 0
        assert len(one["version"]) == 40
        assert one["metrics_url"] == f"{one['url']}/metrics"
        assert Path(one["log"]) == shop.topology.log(name)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("restart", "nobody"), "there is no service 'nobody'"),
        (("deploy", "{orders}", "--ref", "nowhere"), "no commit, branch or tag 'nowhere'"),
        (("rollback", "{orders}", "--to", "-x"), "expected one argument"),
        (("rollback", "{orders}"), "--to"),
        (("explode",), "invalid choice"),
    ],
)
async def test_bad_input_ends_with_2_and_a_sentence(
    shop: Shop, described: ShopDescription, arguments: tuple[str, ...], sentence: str
) -> None:
    done = await shopctl(described, *(word.format(orders=named(shop, "orders")) for word in arguments))
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


async def test_shopctl_without_a_shop_says_so(tmp_path: Path, described: ShopDescription) -> None:
    done = await asyncio.to_thread(
        subprocess.run, (*described.shopctl[:-1], str(tmp_path), "status"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "no shop is running in" in done.stderr


async def test_edit_by_hand_is_committed_deployed_and_rolled_back(shop: Shop, described: ShopDescription) -> None:
    name = named(shop, "catalogue")
    url = shop.topology.url(name)
    before = await status(described, name)
    app = described.repository / "services" / name / "app.py"
    text = app.read_text()
    app.write_text(text.replace('return {"category": category,', 'return {"edited": True, "category": category,'))
    deployed = json.loads((await shopctl(described, "deploy", name)).stdout)
    assert deployed["from"] == before["version"]
    assert "edited" in (await fetch(f"{url}/products"))[1]
    repository = ShopRepository(described.repository, shop.topology.names)
    assert repository.git("log", "-1", "--format=%s") == f"Update {name}"
    assert repository.git("rev-parse", f"{deployed['tag']}^{{commit}}") == deployed["to"]
    again = json.loads((await shopctl(described, "deploy", name)).stdout)
    assert again["changed"] is False
    back = json.loads((await shopctl(described, "rollback", name, "--to", before["version"])).stdout)
    assert (back["from"], back["to"]) == (deployed["to"], before["version"])
    assert "edited" not in (await fetch(f"{url}/products"))[1]
    after = await status(described, name)
    assert (after["version"], after["previous_version"]) == (before["version"], deployed["to"])
    app.write_text(text)


async def test_service_that_does_not_start_leaves_the_old_one_running(shop: Shop, described: ShopDescription) -> None:
    name = named(shop, "orders")
    before = await status(described, name)
    app = described.repository / "services" / name / "app.py"
    text = app.read_text()
    app.write_text(text + "\ndef (\n")
    done = await shopctl(described, "deploy", name)
    app.write_text(text)
    assert done.returncode == 1
    assert "SyntaxError" in done.stderr
    assert await status(described, name) == before


async def fetch_again(url: str) -> int:
    """As HTTP clients do with a read whose connection was closed unanswered: once more (RFC 9110, 9.2.2).

    Between the last look at the queue of a closing listener and its end, a connection may slip in.
    """
    try:
        return (await fetch(url))[0]
    except ConnectionError:
        return (await fetch(url))[0]


async def test_restart_starts_a_new_process_without_losing_a_request(shop: Shop, described: ShopDescription) -> None:
    name = named(shop, "catalogue")
    before = await status(described, name)
    restarting = asyncio.create_task(shopctl(described, "restart", name))
    answers = []
    while not restarting.done():
        answers.append(await fetch_again(f"{shop.topology.url(name)}/products/3"))
    after = await status(described, name)
    assert set(answers) == {200}
    assert after["pid"] != before["pid"]
    assert after["started_at"] > before["started_at"]
    assert after["restarts"] == before["restarts"]
    assert after["last_operation"]["operation"] == "restart"


async def test_request_that_is_half_sent_when_its_process_is_told_to_stop_is_answered(
    shop: Shop, described: ShopDescription, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = named(shop, "catalogue")
    before = await status(described, name)
    reader, writer = await asyncio.open_connection("127.0.0.1", shop.topology.ports[name])
    writer.write(b"GET /products/3 HTTP/1.1\r\n")
    restarting = asyncio.create_task(shopctl(described, "restart", name))
    monkeypatch.chdir(described.home)
    while (await ask_async({"command": "status", "service": name}))["pid"] == before["pid"]:
        pass
    assert not restarting.done()
    writer.write(b"Host: shop\r\n\r\n")
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.0 200 OK\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert json.loads(body)["id"] == 3
    assert (await restarting).returncode == 0


async def test_process_that_dies_is_started_again_and_counted(shop: Shop, described: ShopDescription) -> None:
    name = named(shop, "orders")
    before = await status(described, name)
    os.kill(before["pid"], signal.SIGKILL)
    for _ in range(600):
        after = await status(described, name)
        if after["restarts"] == before["restarts"] + 1 and after["state"] == "running":
            break
        await asyncio.sleep(0.1)
    assert after["pid"] not in {None, before["pid"]}
    assert after["version"] == before["version"]


async def test_mistake_shows_to_customers_and_goes_with_the_rollback_only(
    shop: Shop, described: ShopDescription
) -> None:
    edit = next(edit for edit in MISTAKES if edit.role == "orders")
    name, entry = named(shop, "orders"), shop.topology.url(described.entry)
    before = await status(described, name)
    commit = ShopRepository(described.repository, shop.topology.names).commit(edit)
    assert (await shopctl(described, "deploy", name, "--ref", commit)).returncode == 0
    without_coupon = {"customer": 1, "product": 5, "quantity": 1, "card": "card-0001"}
    assert (await fetch(f"{entry}/checkout", without_coupon))[0] == 502
    assert (await fetch(f"{entry}/checkout", {**without_coupon, "coupon": "SPRING10"}))[0] == 200
    assert "TypeError: 'NoneType' object is not subscriptable" in shop.topology.log(name).read_text()
    await shopctl(described, "restart", name)
    assert (await fetch(f"{entry}/checkout", without_coupon))[0] == 502
    await shopctl(described, "rollback", name, "--to", before["version"])
    assert (await fetch(f"{entry}/checkout", without_coupon))[0] == 200


async def test_journal_ends_at_the_process_limit_and_a_restart_begins_a_new_one(
    shop: Shop, described: ShopDescription
) -> None:
    name, entry = named(shop, "orders"), shop.topology.url(described.entry)
    order = {"customer": 1, "product": 5, "quantity": 1, "card": "card-0001", "note": "x" * 4_000_000}
    answers = [(await fetch(f"{entry}/checkout", order))[0] for _ in range(5)]
    assert answers[0] == 200
    assert answers[-1] == 502
    assert (await fetch(f"{entry}/checkout", {**order, "note": None}))[0] == 502
    assert "[Errno 27] File too large: 'journal.ndjson'" in shop.topology.log(name).read_text()
    await shopctl(described, "restart", name)
    assert (await fetch(f"{entry}/checkout", {**order, "note": None}))[0] == 200


async def test_nothing_that_can_be_read_names_what_the_referee_knows(shop: Shop, described: ShopDescription) -> None:
    repository = ShopRepository(described.repository, shop.topology.names)
    assert not TELLING.search(repository.git("log", "--all", "--format=%B"))
    assert not TELLING.search(repository.git("for-each-ref", "--format=%(refname) %(contents)"))
    for path in described.home.rglob("*"):
        assert not TELLING.search(str(path.relative_to(described.home)).replace("run/referee.err", "")), path
        if path.is_file() and path.suffix in {".log", ".json", ".err", ".toml", ".py"}:
            assert not TELLING.search(path.read_text()), path


async def test_scenario_needs_a_known_name_and_a_baseline(shop: Shop) -> None:
    with pytest.raises(ShopError, match="there is no scenario 'fire'"):
        await shop.begin("fire", 1)
    with pytest.raises(ShopError, match="measure a baseline first"):
        await shop.begin("slow-query", 1)
    with pytest.raises(ShopError, match="no scenario is under way"):
        await shop.judge()


async def test_shop_wants_a_folder_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ShopError, match="is not empty"):
        await Shop.start(tmp_path, seed=1)


def processes_of(home: Path) -> list[str]:
    listed = subprocess.run(("ps", "-ww", "-eo", "pid,args"), capture_output=True, text=True, check=True).stdout  # noqa: S607
    return [line for line in listed.splitlines() if str(home) in line]


def nobody_listens(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.slow
async def test_stop_leaves_no_process_and_no_port(tmp_path: Path) -> None:
    shop = await Shop.start(tmp_path / "shop", seed=3)
    ports = [*shop.topology.ports.values(), shop.topology.provider_port]
    assert len(processes_of(tmp_path)) >= 6
    assert not any(nobody_listens(port) for port in ports)
    await shop.stop()
    await shop.stop()
    assert processes_of(tmp_path) == []
    assert all(nobody_listens(port) for port in ports)


@pytest.mark.slow
async def test_killed_parent_takes_everything_with_it(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys, pathlib\n"
        "from bot.demo.shop import Shop\n"
        "async def main():\n"
        "    shop = await Shop.start(pathlib.Path(sys.argv[1]), seed=4)\n"
        "    print('up', *shop.topology.ports.values(), shop.topology.provider_port, flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path / "shop"), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    ports = [int(word) for word in (await parent.stdout.readline()).split()[1:]]
    assert len(ports) == 5
    parent.kill()
    await parent.wait()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (processes_of(tmp_path) or not all(map(nobody_listens, ports))):
        time.sleep(0.1)  # noqa: ASYNC251 - nothing else runs in this loop
    assert processes_of(tmp_path) == []
    assert all(nobody_listens(port) for port in ports)
