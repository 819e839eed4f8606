"""Which of several remedies that fit is proposed, and the reason that is told."""

from datetime import UTC, datetime

from agents.connecting.cluster import ROLLOUTS, tool_name
from agents.evidence.kubernetes.types import What
from agents.gate.evidence import Evidence
from agents.models.offline.remedy import choose_remedy
from agents.models.offline.transcript import Result, Transcript
from agents.remediation import discover_remediations
from agents.rows import Printed, Row, State

NOW = datetime(2026, 12, 1, 3, 0, tzinfo=UTC)
COMMAND, CLUSTER = (discover_remediations()[name] for name in ("restart_service", "restart_workload"))
OF_CLUSTER, LISTING = f"prod__{ROLLOUTS}", tool_name(What.LIST)


def transcript(*read: tuple[str, Row], **arguments: str) -> Transcript:
    results = [
        Result(
            tool=tool,
            arguments=arguments,
            is_error=False,
            place=place,
            evidence=Evidence(
                id=f"A{place}",
                tool=tool,
                source="x",
                text=row.line,
                facts={},
                taken_at=NOW,
                is_error=False,
                rows=(row,),
                arguments={},
            ),
        )
        for place, (tool, row) in enumerate(read, 1)
    ]
    return Transcript(
        question="checkout fails",
        said=(),
        calls={"checkout": ()},
        connected=(),
        missing=(),
        tools={},
        results=tuple(results),
        asked=(),
        notes=(),
        hurried=False,
        turn=0,
        own_turns=0,
    )


def chosen(*read: tuple[str, Row]) -> tuple[str, str]:
    found = choose_remedy(transcript(*read), "checkout", [COMMAND, CLUSTER])
    assert found is not None
    return found.name, found.because


STATE = State(service="checkout", name="state", value="running", line="state: running")


def test_the_cluster_that_showed_the_service_is_acted_on() -> None:
    name, because = chosen((OF_CLUSTER, Row(service="checkout", line="rollout 7")))
    assert name == "restart_workload"
    assert because == "Restart a workload rather than restart a service: what it acts on showed checkout in this run."


def test_the_command_that_told_of_the_service_is_run() -> None:
    name, because = chosen(("service_status", STATE), (OF_CLUSTER, Row(service="payments", line="rollout 3")))
    assert name == "restart_service"
    assert because.endswith("what it acts on showed checkout in this run.")


def test_a_cluster_that_was_read_and_did_not_show_it_is_not_acted_on() -> None:
    name, because = chosen((OF_CLUSTER, Row(service="payments", line="rollout 3")))
    assert name == "restart_service"
    assert because.endswith("what that acts on was read in this run, and did not show checkout.")


def test_a_listing_of_a_namespace_shows_the_services_that_it_names() -> None:
    for text, name in (
        ("checkout-7d9f-x1  Running", "restart_workload"),
        ("pre-checkout-1  Running", "restart_service"),
    ):
        listing = Printed(service="shop", program="cluster list", text=text, line=text)
        found = choose_remedy(transcript((LISTING, listing), kind="pods"), "checkout", [COMMAND, CLUSTER])
        assert found is not None
        assert found.name == name


def test_where_both_or_neither_told_of_it_less_is_felt() -> None:
    both = (("service_status", STATE), (OF_CLUSTER, Row(service="checkout", line="rollout 7")))
    for read in (both, ()):
        name, because = chosen(*read)
        assert name == "restart_workload"
        assert because.endswith("it takes one instance after another.")


def test_a_single_one_needs_no_reason_and_none_is_none() -> None:
    alone = choose_remedy(transcript(), "checkout", [COMMAND])
    assert alone is not None
    assert (alone.name, alone.because) == ("restart_service", "")
    assert choose_remedy(transcript(), "checkout", []) is None
