"""Exactly what will run: the whole stored plan to the letter, behind a button of its card."""

import shlex
from typing import Final

from handlers.slack.blocks import text as t
from handlers.slack.blocks.card import SHOWN_HASH, Card, person, undo_line, versions
from handlers.slack.blocks.evidence import measured_thing
from handlers.slack.blocks.message import Json, context, fields, preformatted, sections

MOST_PRECONDITIONS: Final = 10


def exact_plan(view: Card) -> list[Json]:
    """Blocks of a modal."""
    plan = view.plan
    return [
        *sections(f"*{t.prose(plan.title, 200)}*\nThis is sent, to the letter:"),
        *preformatted(shlex.join(plan.argv) or plan.action),
        *fields(_facts(view)),
        *sections(_blast_radius(view)),
        *sections(_preconditions(view)),
        *sections(_judged(view)),
        *sections(f"*Evidence* {_evidence(view)}"),
        *context(_freshness(view)),
    ]


def _facts(view: Card) -> list[tuple[str, str]]:
    plan = view.plan
    parameters = [f"{name}={t.version(str(value))}" for name, value in plan.parameters.items()]
    given = f" ({t.listing(parameters, most=6, limit=60)})" if parameters else ""
    return [
        ("Action", f"{t.prose(plan.action, 80)}{given}"),
        ("Target", f"{t.prose(plan.target, 80)}, {t.prose(plan.environment, 40)}"),
        ("Version", versions(plan)),
        ("Risk", f"{plan.risk.value}{'' if plan.reversible else ', cannot be undone'}"),
        ("Undo", undo_line(plan)),
        ("Asked by", person(view.people, plan.requested_by)),
    ]


def _blast_radius(view: Card) -> str:
    plan = view.plan
    lost = t.listing(plan.commits_lost, most=6) if plan.commits_lost else "none"
    migrations = f"*{t.listing(plan.migrations, most=6)}*" if plan.migrations else "none"
    paths = f"\n• files in the diff: {t.listing(plan.diff_paths, most=6)}" if plan.diff_paths else ""
    return (
        f"*Blast radius*\n• {t.plural(plan.instances, 'instance')}, interruption: {t.prose(plan.interruption, 200)}"
        f"\n• other commits lost: {lost}\n• migrations in between: {migrations}{paths}"
    )


def _preconditions(view: Card) -> str:
    preconditions = view.plan.preconditions
    if not preconditions:
        return "*Preconditions* none"
    told = [
        f"• {'holds' if each.holds else '*does not hold*'}: {t.prose(each.text, 200)} (read {t.clock(each.read_at)})"
        for each in preconditions[:MOST_PRECONDITIONS]
    ]
    left = preconditions[MOST_PRECONDITIONS:]
    if left:
        broken = sum(not each.holds for each in left)
        told.append(f"• {len(left)} more, {f'*{broken} of them do not hold*' if broken else 'all hold'}")
    return "\n".join(["*Preconditions*", *told])


def _judged(view: Card) -> str:
    healing = view.plan.healing
    if healing is None:
        return "*Healing* No indicator was measured: the target's own state decides."
    limit, worst, now = (t.measure(v, healing.unit) for v in (healing.threshold, healing.worse_than, healing.before))
    thing = measured_thing(healing.service, healing.indicator, healing.unit)
    return (
        f"*Healing* {thing}: {now} when this was planned. Healed below {limit} for {t.duration(healing.hold_s)}, "
        f"within {t.duration(healing.window_s)}; above {worst} it made things worse."
    )


def _evidence(view: Card) -> str:
    shown = [t.link(view.links.get(number), number) for number in view.plan.evidence[:8]]
    more = f" and {len(view.plan.evidence) - 8} more" if len(view.plan.evidence) > 8 else ""
    return f"{', '.join(shown)}{more}" if shown else "none cited"


def _freshness(view: Card) -> str:
    read, until = t.clock(view.plan.read_at), t.clock(view.plan.fresh_until)
    shown_hash = view.approval.plan_hash[:SHOWN_HASH]
    return f"Read {read}, fresh until {until}. Plan {shown_hash}."
