"""Outputs of a small invented cluster, as the usual command line prints them: the bakery in the namespace `bakery`."""

from collections.abc import Iterable, Sequence

from agents.evidence.kubernetes.condense import condense
from agents.evidence.kubernetes.rank import rank
from agents.evidence.kubernetes.types import ClusterReading, Read, What

POD = "oven-6f5d8c9b7d-x2k4p"


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows under their headings, columns aligned."""
    cells = [list(heading), *(list(row) for row in rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(heading))]
    return "\n".join("   ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells) + "\n"


def listed(kind: str, text: str, detail: str = "") -> ClusterReading:
    return ClusterReading(read=Read(what=What.LIST, kind=kind, detail=detail), text=text, source=f"list {kind}")


def described(kind: str, name: str, text: str) -> ClusterReading:
    return ClusterReading(read=Read(what=What.DESCRIBE, kind=kind, name=name), text=text, source=f"describe {name}")


def told(what: What, name: str, text: str, detail: str = "") -> ClusterReading:
    return ClusterReading(read=Read(what=what, name=name, detail=detail), text=text, source=f"{what} {name}")


def pods(*rows: tuple[str, str, str, str, str]) -> ClusterReading:
    """Name, ready, status, restarts, age."""
    return listed("pods", table(("NAME", "READY", "STATUS", "RESTARTS", "AGE"), rows))


def deployments(*rows: tuple[str, str, str]) -> ClusterReading:
    """Name, ready, up to date."""
    heading = ("NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE")
    return listed("deployments", table(heading, [(n, r, u, r.partition("/")[0], "5m") for n, r, u in rows]))


def nodes(*rows: tuple[str, str]) -> ClusterReading:
    """Name and status; `control` is the control plane."""
    heading = ("NAME", "STATUS", "ROLES", "AGE", "VERSION")
    roles = [(n, s, "control-plane" if n == "control" else "<none>", "90d", "v1.31.2") for n, s in rows]
    return listed("nodes", table(heading, roles))


ALL_NODES = nodes(("control", "Ready,SchedulingDisabled"), ("node-a", "Ready"), ("node-b", "Ready"))


def pod_text(
    *, name: str = POD, container: Sequence[str] = (), events: Sequence[str] = (), more: Sequence[str] = ()
) -> str:
    """A pod's description with one container; lines of the container are indented here."""
    lines = [f"Name:         {name}", "Namespace:    bakery", "Node:         node-a/10.0.0.4", "Containers:", "  main:"]
    lines += [f"    {line}" for line in container]
    lines += list(more)
    lines += ["Events:", "  Type     Reason     Age   From     Message", "  ----     ------     ----  ----     -------"]
    return "\n".join([*lines, *(f"  {event}" for event in events)]) + "\n"


def pod(*, container: Sequence[str] = (), events: Sequence[str] = (), more: Sequence[str] = ()) -> ClusterReading:
    return described("pods", POD, pod_text(container=container, events=events, more=more))


def first(*readings: ClusterReading) -> tuple[str, str] | None:
    """Object and label of the best hypothesis, read from what a tool shows of each output."""
    shown = [ClusterReading(read=r.read, text=condense(r.read, r.text), source=r.source) for r in readings]
    found = rank(shown)
    for hypothesis in found:
        for quote in hypothesis.quotes:
            assert any(quote.line in r.text for r in shown if r.source == quote.source), quote
    return (found[0].name, str(found[0].label)) if found else None
