import ipaddress
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agents.connecting.connector import Service
from agents.connecting.connectors.commands import Commands
from agents.connecting.operator_file import OperatorFileError, build_connectors, load
from agents.connecting.outbound import Outbound
from store.secrets.redaction import Secret

GOOD = """
tenant = "T012AB3CD"

[[service]]
name = "checkout"
depends_on = ["payments"]
owners = ["@mia"]

[[service]]
name = "payments"
environment = "staging"

[egress]
allow_networks = ["127.0.0.0/8", "fd00::/8"]

[connectors.prometheus]
url = "http://127.0.0.1:9090"
token = "env:PROM_TOKEN"

[connectors.openmetrics]
interval_s = 1
targets = { checkout = "http://127.0.0.1:8001/metrics" }

[connectors.logfiles]
roots = ["/var/log/shop"]
files = { checkout = "checkout.log" }

[connectors.git]
repository = "/srv/shop"
deployments = "deploy/{service}/*"

[[connectors.commands.command]]
name = "status"
action = "read_target"
argv = ["/usr/bin/shopctl", "status", "{service}", "--json"]
risk = "read"

[[connectors.commands.command]]
name = "rollback"
action = "rollback_deployment"
argv = ["/usr/bin/shopctl", "rollback", "{service}", "--to", "{version}"]
risk = "medium"
undo = "rollback_deployment"
"""
MINIMAL = '[[service]]\nname = "checkout"\n'


def now() -> datetime:
    return datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
async def outbound(tmp_path: Path) -> AsyncIterator[Outbound]:
    client = Outbound(load(written(tmp_path, MINIMAL)).egress)
    yield client
    await client.close()


def written(folder: Path, text: str) -> Path:
    path = folder / "autoheal.toml"
    path.write_text(text)
    return path


def test_a_good_file_gives_services_egress_and_tenant(tmp_path: Path) -> None:
    file = load(written(tmp_path, GOOD))
    assert file.tenant == "T012AB3CD"
    assert file.services == (
        Service(name="checkout", depends_on=("payments",), owners=("@mia",)),
        Service(name="payments", environment="staging"),
    )
    assert file.egress.permits_address(ipaddress.ip_address("127.0.0.1"))
    assert not file.egress.permits_address(ipaddress.ip_address("10.0.0.1"))


async def test_connectors_are_built_from_their_sections(tmp_path: Path, outbound: Outbound) -> None:
    connectors = build_connectors(
        load(written(tmp_path, GOOD)),
        outbound=outbound,
        now=now,
        credentials={"prometheus": {"token": Secret("stored"), "username": Secret("stored")}},
        environment={"PROM_TOKEN": "t0ken"},
    )
    assert [c.name for c in connectors] == ["prometheus", "openmetrics", "logfiles", "git", "commands"]
    assert connectors[0].context.credentials["token"].reveal() == "t0ken"
    assert connectors[0].context.credentials["username"].reveal() == "stored"
    assert connectors[1].context.credentials == {}


async def test_a_command_gets_a_secret_by_the_name_of_a_variable(tmp_path: Path, outbound: Outbound) -> None:
    text = (
        MINIMAL
        + """
[[connectors.commands.command]]
name = "status"
action = "read_target"
argv = ["/usr/bin/env"]
risk = "read"
environment = {DEPLOY_TOKEN = "env:DEPLOY_TOKEN", REGION = "us"}
"""
    )
    file = load(written(tmp_path, text))
    with pytest.raises(OperatorFileError, match="DEPLOY_TOKEN, which is not set"):
        build_connectors(file, outbound=outbound, now=now, environment={})
    (commands,) = build_connectors(file, outbound=outbound, now=now, environment={"DEPLOY_TOKEN": "d3ploy-s3cret"})
    assert isinstance(commands, Commands)
    assert [secret.reveal() for secret in commands.context.credentials.values()] == ["d3ploy-s3cret"]
    assert "d3ploy" not in repr(commands.config) + repr(file)
    done = await commands._run(commands.config.command[0], {"service": "checkout"}, {})
    assert {"DEPLOY_TOKEN=d3ploy-s3cret", "REGION=us"} <= set(done.output.decode().splitlines())


async def test_without_sections_there_are_no_connectors(tmp_path: Path, outbound: Outbound) -> None:
    assert build_connectors(load(written(tmp_path, MINIMAL)), outbound=outbound, now=now) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tenant = ", "is not TOML"),
        ("", "service: is missing; add it"),
        ('[[service]]\nname = "Check Out"', "service.0.name"),
        (MINIMAL * 2, "two services have the same name"),
        (MINIMAL + 'depends_on = ["stripe"]', "checkout depends on stripe, which is not declared"),
        ('tenant = "acme"\n' + MINIMAL, "tenant"),
        (MINIMAL + 'colour = "red"', "service.0.colour: is not a known key"),
        (MINIMAL + '[egress]\nallow_networks = ["127.0.0.1/8"]', "egress.allow_networks"),
        (MINIMAL + "[connectors.promtheus]\n", "connectors.promtheus: there is no such connector; there are: alertm"),
        (MINIMAL + '[connectors.prometheus]\nurl = "nowhere"', "connectors.prometheus.url"),
        (
            MINIMAL + '[connectors.prometheus]\nurl = "http://x"\nurll = 1',
            "connectors.prometheus.urll: is not a known key",
        ),
        (MINIMAL + '[connectors.git]\nrepository = "shop"', "connectors.git.repository: must be an absolute path"),
        (MINIMAL + '[[connectors.commands.command]]\nname = "x"', "connectors.commands.command.0.action: is missing"),
    ],
)
def test_a_bad_file_is_refused_with_file_key_and_advice(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(OperatorFileError) as refusal:
        load(written(tmp_path, text))
    assert said in str(refusal.value)
    assert str(tmp_path / "autoheal.toml") in str(refusal.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperatorFileError, match=r"none\.toml: cannot be read"):
        load(tmp_path / "none.toml")


@pytest.mark.parametrize("key", ["token", "tokken"])
def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path, key: str) -> None:
    text = MINIMAL + f'[connectors.prometheus]\nurl = "http://x"\n{key} = "hunter2"'
    with pytest.raises(OperatorFileError) as refusal:
        load(written(tmp_path, text))
    assert "hunter2" not in str(refusal.value)
    assert key in str(refusal.value)


async def test_a_variable_that_is_not_set_is_named(tmp_path: Path, outbound: Outbound) -> None:
    file = load(written(tmp_path, GOOD))
    with pytest.raises(OperatorFileError, match=r"connectors.prometheus.token names .* PROM_TOKEN, which is not set"):
        build_connectors(file, outbound=outbound, now=now, environment={})


async def test_an_undeclared_service_in_a_section_is_refused(tmp_path: Path, outbound: Outbound) -> None:
    text = MINIMAL + '[connectors.openmetrics]\ntargets = { chekout = "http://127.0.0.1/" }'
    file = load(written(tmp_path, text))
    with pytest.raises(OperatorFileError, match=r"connectors.openmetrics.targets: chekout is not a declared service"):
        build_connectors(file, outbound=outbound, now=now)
