"""What is shown of an output: whole lines, verbatim, and no secrets."""

from fakes.cluster_text import POD, deployments, listed, pod_text, table

from agents.evidence.kubernetes.condense import condense
from agents.evidence.kubernetes.snapshot import Snapshot
from agents.evidence.kubernetes.types import ClusterReading, Read, What


def test_a_listing_keeps_what_is_unusual_and_counts_the_rest() -> None:
    reading = deployments(("oven", "0/1", "1"), *((f"app{n}", "1/1", "1") for n in range(30)))
    shown = condense(reading.read, reading.text)
    assert len(shown) < len(reading.text) / 3
    seen = Snapshot(readings=(ClusterReading(read=reading.read, text=shown),))
    assert [w.name for w in seen.workloads] == ["oven"]
    assert seen.has_replicas("app7")
    assert not seen.has_replicas("oven")
    assert not seen.has_replicas("unheard-of")


def test_all_lines_but_the_count_stand_in_the_original() -> None:
    text = pod_text(
        container=("Image:  oven:1", "Image ID:  sha256:77", "State:  Running", "Ready:  False", "Restart Count:  0"),
        events=["Normal   Pulled  9s  kubelet  image present", "Warning  BackOff  3s  kubelet  Back-off restarting"],
        more=["Conditions:", "  Ready   False", "Tolerations:  a=b"],
    )
    shown = condense(Read(what=What.DESCRIBE, kind="pods", name=POD), text)
    assert all(line in text for line in shown.splitlines())
    assert "Back-off" in shown
    assert not any(word in shown for word in ("sha256", "image present", "Conditions", "Tolerations"))


def test_logs_keep_distinct_lines_of_trouble() -> None:
    lines = [f"2026-01-01T00:00:{n:02d} request {n} failed: connection refused" for n in range(40)]
    text = "\n".join([*lines, "all fine", "\tat com.example.Oven.bake(Oven.java:3)", "Caused by: too many connections"])
    shown = condense(Read(what=What.LOGS, name="oven"), text).splitlines()
    assert len(shown) == 2
    assert "too many connections" in shown[-1]


def test_a_configuration_is_shown_without_its_secrets() -> None:
    text = "kind: Secret\nstringData:\n  DB_HOST: ledger\n  DB_PASSWORD: hunter22\n  API_TOKEN: abc123\n"
    shown = condense(Read(what=What.MANIFEST, name="oven"), text)
    assert "DB_HOST: ledger" in shown
    assert "hunter22" not in shown
    assert "abc123" not in shown


def test_events_keep_the_latest_warning_of_each_kind() -> None:
    heading = ("LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE")
    rows = [("9m", "Warning", "BackOff", f"pod/{POD}", f"try {n}") for n in range(50)]
    rows += [("1m", "Normal", "Pulled", f"pod/{POD}", "done")]
    shown = condense(Read(what=What.LIST, kind="events"), table(heading, rows))
    assert shown.splitlines()[1:] == [f"9m          Warning   BackOff   pod/{POD}   try 49"]


def test_what_is_not_understood_is_shown() -> None:
    assert condense(Read(what=What.LIST, kind="pods"), "No resources found in bakery namespace.") == (
        "No resources found in bakery namespace."
    )
    assert condense(listed("pods", "").read, "") == ""
