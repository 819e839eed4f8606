"""A description or a manifest as a tree by indentation: enough structure to ask for a field, tolerant of the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

_FIELD: Final = re.compile(r"([^:\s][^:]*):(?:\s+(.*))?$")
_MOST_LINES: Final = 20_000


@dataclass(kw_only=True)
class TreeNode:
    """One line and what is indented under it. A line without a colon is a key without a value."""

    key: str
    value: str
    line: str
    depth: int
    children: list[TreeNode] = field(default_factory=list)

    def child(self, key: str) -> TreeNode | None:
        return next((c for c in self.children if c.key == key), None)

    def text(self, *path: str) -> str:
        """The value at a path of keys, empty where there is none."""
        node: TreeNode | None = self
        for key in path:
            node = node.child(key) if node is not None else None
        return node.value if node is not None else ""

    def walk(self) -> Iterator[TreeNode]:
        """All nodes below, in the order of the text."""
        for child in self.children:
            yield child
            yield from child.walk()


def parse_tree(text: str) -> TreeNode:
    """Never raises: odd lines become nodes of their own."""
    root = TreeNode(key="", value="", line="", depth=-1)
    path = [root]
    for line in text.splitlines()[:_MOST_LINES]:
        stripped = line.strip()
        if not stripped:
            continue
        depth = len(line) - len(line.lstrip())
        while path[-1].depth >= depth:
            path.pop()
        found = _FIELD.match(stripped)
        key, value = (found.group(1).strip(), (found.group(2) or "").strip()) if found else (stripped, "")
        node = TreeNode(key=key, value=value, line=stripped, depth=depth)
        path[-1].children.append(node)
        path.append(node)
    return root
