"""A cluster of which only the calls around one question were recorded, under the names of `kubectl` wrappers.

What the question and its alert name is looked for; listings are narrowed to it. A row that no listing holds is
told from the object's description.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

from agents.evidence.kubernetes.parse import HASH
from agents.evidence.kubernetes.trees import parse_tree
from agents.evidence.kubernetes.types import Read, What

Arguments = dict[str, Any]
_WORD: Final = re.compile(r"[a-z0-9][a-z0-9.-]*[a-z0-9]")
_NAMESPACE: Final = re.compile(r"([a-z0-9-]+) namespace|namespace[\"': ]+([a-z0-9-]+)")
_POD: Final = re.compile(r"(\S+)\s+(\d+/\d+)\s+(\S+)\s+(\d+(?: \([^)]*\))?)\s+(\S+)")
_WORKLOAD: Final = re.compile(r"(\S+)\s+(\d+/\d+)\s+(\d+)\s+(\d+)\s+(\S+)")
_POLICY: Final = re.compile(r"NetworkPolicy/(\S+)")
_SINGULAR: Final = {
    "pods": "pod",
    "deployments": "deployment",
    "statefulsets": "statefulset",
    "replicasets": "replicaset",
    "persistentvolumeclaims": "persistentvolumeclaim",
    "services": "service",
}
_LOGS: Final = (
    "fetch_pod_logs", "kubectl_logs", "kubectl_logs_all_containers", "kubectl_previous_logs",
    "kubectl_previous_logs_all_containers",
)  # fmt: skip
_PLAIN: Final = frozenset(
    [
        "an",
        "and",
        "are",
        "did",
        "for",
        "from",
        "how",
        "pod",
        "pods",
        "the",
        "this",
        "what",
        "why",
        "with",
        "investigate",
        "alert",
        "report",
        "root",
        "cause",
        "issue",
    ]
)


class Answers(Protocol):
    """One case of the data, asked with the documented matching; None where nothing was recorded."""

    info: Any

    def find(self, tool: str, arguments: Arguments) -> Any: ...


class KubectlCalls:
    """`made` is filled with the calls that were answered."""

    def __init__(self, case: Answers, made: list[tuple[str, Arguments]]) -> None:
        self._case = case
        self._made = made
        alert = case.info.get("alert") or {}
        context = case.info.get("context") or {}
        said = [t.get("content") for t in context.get("conversation") or [] if t.get("role") == "user"]
        text = " ".join(map(str, [case.info.get("question") or "", json.dumps(alert) if alert else "", *said]))
        subject = alert.get("subject") or alert.get("resource") or {}
        named = [str(subject.get("name") or ""), *_WORD.findall(text.lower())]
        self.names = [n for n in dict.fromkeys(named) if len(n) > 2 and n not in _PLAIN]
        spoken = [a or b for a, b in _NAMESPACE.findall(text)]
        places = dict.fromkeys([str(subject.get("namespace") or ""), *spoken, "default"])
        self.namespaces: list[str] = [n for n in places if n]
        self._places: dict[str, str] = {}

    def subjects(self) -> list[str]:
        """Names of the question that a recorded answer knows, those that look like names first."""
        rows = [row[0] for kind in ("pods", "deployments", "statefulsets") for row in self._rows(kind)]
        known = [n for n in self.names if any(row == n or row.startswith(f"{n}-") for row in rows)]
        described = [n for n in self.names if self._describe("job", n) or self._describe("pod", n) or self._log(n)]
        generated = [n for n in self.names if HASH.search(n)]
        return list(dict.fromkeys([*known, *described, *generated]))

    def answer(self, read: Read) -> str:
        if read.what is What.LIST and read.kind == "networkpolicies":
            return self._policies()
        if read.what is What.LIST:
            return self._table(read.kind)
        if read.what is What.DESCRIBE:
            return self._describe(_SINGULAR.get(read.kind, read.kind), read.name)
        if read.what in (What.LOGS, What.ERRORS):
            return self._log(read.name)
        return ""

    def _ask(self, tool: str, **arguments: str) -> str:
        found = self._case.find(tool, arguments)
        if found is None or found.get("status") == "error" or "*" in found["arguments"].values():
            return ""  # an answer to anything ("*") is an answer to nothing
        if (tool, arguments) not in self._made:
            self._made.append((tool, arguments))
        return re.sub(r"\A(?:stdout:)?\s*\"?", "", str(found["output"]))

    def _describe(self, kind: str, name: str) -> str:
        for place in [self._places[name]] if name in self._places else self.namespaces:
            for spelt in (kind, kind.capitalize(), "PersistentVolumeClaim"):
                if text := self._ask("kubectl_describe", kind=spelt, name=name, namespace=place):
                    return text
        return ""

    def _rows(self, kind: str) -> list[Sequence[str]]:
        """Rows of the listings that hold a name of the question."""
        single = _SINGULAR.get(kind, kind)
        texts = [self._ask("kubectl_find_resource", kind=single, keyword=name) for name in self.names]
        for place in self.namespaces:
            spelt = (single, single.capitalize())
            texts += [self._ask("kubectl_get_by_kind_in_namespace", kind=s, namespace=place) for s in spelt]
            texts += [self._ask("kubectl_get_by_name", kind=single, name=n, namespace=place) for n in self.names]
        pattern = _POD if kind == "pods" else _WORKLOAD
        found: dict[str, Sequence[str]] = {}
        for line in "\n".join(texts).splitlines():
            if match := pattern.search(line):
                name = match.group(1)
                before = line[: match.start()].split()
                if before:
                    self._places[name] = before[-1]
                if any(name == n or name.startswith(f"{n}-") for n in self.names):
                    found.setdefault(name, match.groups())
        if kind == "pods":
            for name in self.names:
                if name not in found and (row := _row_of(self._describe("pod", name))):
                    found[name] = row
        return list(found.values())

    def _table(self, kind: str) -> str:
        heads = {"pods": ("NAME", "READY", "STATUS", "RESTARTS", "AGE")}
        columns = heads.get(kind, ("NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"))
        rows = self._rows(kind) if kind in ("pods", "deployments", "statefulsets") else []
        cells = [columns, *rows]
        widths = [max(len(row[n]) for row in cells) for n in range(len(columns))]
        lines = ["   ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
        return "\n".join(lines) if rows else ""

    def _log(self, app: str) -> str:
        pods = [str(row[0]) for row in self._rows("pods")]
        wanted = [n for n in dict.fromkeys([*pods, app]) if n == app or n.startswith(f"{app}-")]
        pieces = [self._ask(tool, pod_name=n, namespace=self._place(n)) for tool in _LOGS for n in wanted]
        return "\n".join(dict.fromkeys(piece for piece in pieces if piece))

    def _place(self, name: str) -> str:
        return self._places.get(name, self.namespaces[0])

    def _policies(self) -> str:
        texts = [
            self._ask("kubectl_lineage_children", kind=kind, name=name, namespace=place)
            for kind in ("Pod", "pod", "deployment")
            for name in self.names
            for place in self.namespaces
        ]
        found = dict.fromkeys(_POLICY.findall("\n".join(texts)))
        return "\n".join(["NAME   POD-SELECTOR", *(f"{name}   <none>" for name in found)]) if found else ""


def _row_of(description: str) -> Sequence[str] | None:
    """A pod's row from its description."""
    tree = parse_tree(description)
    section = tree.child("Containers")
    if section is None or not tree.text("Name"):
        return None
    containers = list(_containers(section.children))
    ready = sum(is_ready for is_ready, _, _ in containers)
    reason = next((reason for _, reason, _ in containers if reason), "")
    restarts = sum(count for _, _, count in containers)
    status = str(reason or tree.text("Status"))
    return str(tree.text("Name")), f"{ready}/{len(containers)}", status, str(restarts), "<unknown>"


def _containers(nodes: Sequence[Any]) -> Iterator[tuple[bool, str, int]]:
    for node in nodes:
        state = node.child("State")
        count = node.text("Restart Count")
        reason = str(state.text("Reason")) if state else ""
        yield node.text("Ready") == "True", reason, int(count) if count.isdigit() else 0
