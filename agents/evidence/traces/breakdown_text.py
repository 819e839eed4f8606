"""A breakdown of requests as text for an agent: one line a part, every number quotable, traces to look up."""

from dataclasses import replace
from math import isfinite

from agents.evidence.digest import estimate_tokens, quantity
from agents.evidence.traces.breakdown import Step, TimePart, TraceBreakdown
from agents.rows import Row, Spent

BREAKDOWN_TOKENS = 400
NEWS = 0.1  # of the usual time: what was added beyond that is worth a sentence
MOSTLY = 0.5  # of what was added to own work: then the step is named
ALIKE = 0.01  # of the time of a request: smaller parts are left off
NAME = 60


def render_breakdown(found: TraceBreakdown, since: str, *, max_tokens: int = BREAKDOWN_TOKENS) -> str:
    """`since` is when "now" began, as people read it. Parts too many for the budget are left off, and counted."""
    head = [_whole(found, since), _most(found), "part,per request before->now,added,calls per request"]
    tail = [
        *([f"slow traces now: {', '.join(found.slow_trace_ids)}"] if found.slow_trace_ids else []),
        *([f"usual trace before: {', '.join(found.usual_trace_ids)}"] if found.usual_trace_ids else []),
    ]
    least = ALIKE * max(_known(found.before_s), _known(found.after_s))
    shown = (p for p in found.parts if p.callee is None or max(_known(p.before_s), _known(p.after_s)) >= least)
    parts = [line for part in shown for line in _lines(found, part, least)]
    kept: list[str] = []
    for place, line in enumerate(parts):
        if estimate_tokens("\n".join([*head, *kept, line, *tail])) > max_tokens - 8:
            kept.append(f"({len(parts) - place} parts left off)")
            break
        kept.append(line)
    return "\n".join([*head, *kept, *tail])


def breakdown_rows(found: TraceBreakdown, text: str) -> tuple[Row, ...]:
    """The breakdown as rows, each with the line of `text` that tells it."""
    lines = text.splitlines()
    whole = Spent(
        service=found.service, part="whole request", before_s=_or_none(found.before_s), now_s=_or_none(found.after_s)
    )
    rows: list[Row] = [replace(whole, line=lines[0])]
    first = most_added(found)
    if first is not None:
        rows.append(replace(_spent(found, first), part=part_name(found, first), most=True, line=lines[1]))
    for part in found.parts:
        line = _part(part)
        rows.append(replace(_spent(found, part), line=line if line in lines else ""))
    for step in found.steps:
        line = _step(step)
        row = Spent(
            service=found.service,
            part=_cut(step.operation),
            before_s=_or_none(step.before_s),
            now_s=_or_none(step.after_s),
        )
        rows.append(replace(row, line=line.strip() if line in lines else ""))
    return tuple(rows)


def _spent(found: TraceBreakdown, part: TimePart) -> Spent:
    return Spent(
        service=found.service,
        part="own work" if part.callee is None else f"calls to {_cut(part.callee)}",
        before_s=_or_none(part.before_s),
        now_s=_or_none(part.after_s),
        calls_before=_or_none(part.calls_before),
        calls_now=_or_none(part.calls_after),
        callee=part.callee is not None,
    )


def _or_none(value: float) -> float | None:
    return value if isfinite(value) else None


def most_added(found: TraceBreakdown) -> TimePart | None:
    """The part that took most of the time that was added, or None where requests take no longer than before."""
    if not found.requests_before or not found.requests_after:
        return None
    if found.after_s - found.before_s < NEWS * found.before_s:
        return None
    return max(found.parts, key=_added, default=None)


def _whole(found: TraceBreakdown, since: str) -> str:
    name = f"{_cut(found.service)} {_cut(found.operation)}" if found.operation else _cut(found.service)
    counts = f"{found.requests_before} requests before {since}, {found.requests_after} since"
    return f"{name}: {_change(found.before_s, found.after_s)} a request (mean); {counts}"


def _most(found: TraceBreakdown) -> str:
    if not found.requests_after:
        return "no requests since"
    if not found.requests_before:
        return "no requests before to compare with"
    first = most_added(found)
    if first is None:
        return "requests take no longer than before"
    of = _signed(found.after_s - found.before_s)
    change = _change(first.before_s, first.after_s)
    return f"most of the added time: {part_name(found, first)}, {change}, {_signed(_added(first))} of {of}"


def part_name(found: TraceBreakdown, part: TimePart) -> str:
    """The called service; or own work, with the step of it that took most of what was added."""
    if part.callee is not None:
        return f"calls to {_cut(part.callee)}"
    first = found.steps[0] if found.steps else None
    if first is None or _added(first) < MOSTLY * _added(part):
        return "own work"
    return f"own work in {_cut(first.operation)}"


def _lines(found: TraceBreakdown, part: TimePart, least: float) -> list[str]:
    if part.callee is not None:
        return [_part(part)]
    steps = [step for step in found.steps if max(_known(step.before_s), _known(step.after_s)) >= least]
    return [_part(part), *(_step(step) for step in steps)]


def _step(step: Step) -> str:
    change = _change(step.before_s, step.after_s).replace(" ", "")
    return f"  of it {_cut(step.operation)},{change},{_signed(_added(step))}"


def _part(part: TimePart) -> str:
    name = "own work" if part.callee is None else f"calls to {_cut(part.callee)}"
    cells = [name, _change(part.before_s, part.after_s).replace(" ", ""), _signed(_added(part))]
    if part.callee is not None:
        cells.append(f"{part.calls_before:.3g}->{part.calls_after:.3g}")
    if isfinite(part.network_before_s) and isfinite(part.network_after_s):
        cells.append(f"on the way {_change(part.network_before_s, part.network_after_s)}")
    return ",".join(cells)


def _added(part: TimePart | Step) -> float:
    return _known(part.after_s) - _known(part.before_s)


def _known(seconds: float) -> float:
    return seconds if isfinite(seconds) else 0.0


def _change(before_s: float, after_s: float) -> str:
    return f"{_seconds(before_s)} -> {_seconds(after_s)}"


def _seconds(seconds: float) -> str:
    return quantity(seconds, "s") if isfinite(seconds) else "none"


def _signed(seconds: float) -> str:
    exact = round(seconds, 6)  # recorders count microseconds
    return f"{'+' if exact >= 0 else '-'}{quantity(abs(exact), 's')}"


def _cut(name: str) -> str:
    line = " ".join(name.split())
    return line if len(line) <= NAME else f"{line[: NAME - 1]}…"
