"""A template: the fixed words of a kind of line, with `<*>` where values stand."""

from dataclasses import dataclass

from agents.evidence.logs.miner.folding import spoken
from agents.evidence.logs.miner.masking import WILD


@dataclass(frozen=True, kw_only=True)
class MinedTemplate:
    """`id` depends on service and text alone, so it is the same in another run. `exemplar` is a line, verbatim.

    `first_seen` and `last_seen` are epoch seconds, None where lines were added without times.
    """

    id: str
    service: str
    text: str
    exemplar: str
    count: int
    first_seen: float | None = None
    last_seen: float | None = None

    def parameters(self, text: str) -> tuple[str, ...] | None:
        """The values of one line in the order of the `<*>`; None if the line is not of this template.

        Filled in again they give the line as `spoken`: frames of a trace left out, runs of white space as one blank.
        """
        line = " ".join(spoken(text).split())
        head, *pieces = self.text.split(WILD)
        if not pieces:
            return () if line == head else None
        tail = pieces.pop()
        end = len(line) - len(tail)
        if end < len(head) or not line.startswith(head) or not line.endswith(tail):
            return None
        values, at = [], len(head)
        for piece in pieces:
            found = line.find(piece, at, end)
            if found < 0:
                return None
            values.append(line[at:found])
            at = found + len(piece)
        return (*values, line[at:end])
