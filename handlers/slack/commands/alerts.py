"""`/autoheal alerts`: which alerts cost attention and give nothing, and what is done about which."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from agents.alerting.hygiene import Counted, Hygiene, judge
from agents.alerting.rules import MOST_LABELS, MOST_RULES, BadRule, Policy, parse_rule, read_policy
from agents.permission import Denied, Permission, check
from handlers.slack.blocks import text as t
from handlers.slack.command import Command, CommandCall
from handlers.slack.context import HandlerContext
from store import audit, inbox
from store.ids import UserId
from store.incidents import alerts

_PERIOD: Final = re.compile(r"(\d{1,3})\s*(h|d|w)")
_UNITS: Final = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_USUAL: Final = timedelta(days=7)
_MOST: Final = timedelta(days=90)
_HELP: Final = (
    "`/autoheal alerts [24h | 7d | 4w]` counts. `/autoheal alerts rules` shows what is done about which. For admins: "
    "`/autoheal alerts rule add ignore severity=info service=cart hours=22-06`, `rule remove <number>`, `budget "
    "<number an hour>`, `labels <up to six names>`, and `channel` in the channel where they should be told."
)


class AlertsCommand(Command):
    name = "alerts"
    usage = "[7d | rules | rule add ... | channel]"
    summary = "which alerts are noise, and what is done about which"
    permission = Permission.READ

    async def run(self, call: CommandCall, context: HandlerContext) -> None:
        words = call.rest.split()
        match words:
            case []:
                answer = await _hygiene(call, _USUAL, context)
            case [one] if found := _PERIOD.fullmatch(one.lower()):
                answer = await _hygiene(call, min(int(found[1]) * _UNITS[found[2]], _MOST), context)
            case ["rules"]:
                async with context.db.tenant(call.person.tenant_id, readonly=True) as s:
                    answer = _rules(read_policy(await alerts.policy(s)))
            case ["rule" | "budget" | "labels" | "channel", *_]:
                answer = await _change(call, words, context)
            case _:
                answer = _HELP
        await call.reply.privately(answer)


async def _hygiene(call: CommandCall, period: timedelta, context: HandlerContext) -> str:
    toolbox = await context.toolbox_for(call.person.tenant_id)
    since = context.clock() - period
    async with context.db.tenant(call.person.tenant_id, readonly=True) as s:
        found, groups = await alerts.alerts_since(s, since), await alerts.groups_since(s, since)
        unknown = await inbox.count_notes(s, "webhook", "unknown shape", since=since)
    owned = {one.name for one in toolbox.services if one.owners}
    return _told(judge(found, groups, owned=owned), period, unknown)


def _told(told: Hygiene, period: timedelta, unknown: int) -> str:
    days = period / timedelta(days=1)
    over = f"{days:g} days" if days != 1 else "day"
    if not told.alerts:
        nothing = f"No alert came in the last {over}."
        return nothing + (f" {unknown} deliveries were of an unknown shape." if unknown else "")
    counted = f"{told.alerts}, sent {told.sent} times, in {told.groups} groups"
    lines = [f"*Alerts of the last {over}*: {counted}; {told.incidents} led to an investigation."]
    for title, kinds in (
        ("Never looked into", told.never_actionable),
        ("Flapping", told.flapping),
        ("Without an owner", told.without_owner),
        ("Sent again and again", told.duplicates),
    ):
        if kinds:
            lines.append(f"*{title}*: " + "; ".join(_words(one) for one in kinds))
    if unknown:
        lines.append(f"{unknown} deliveries were of an unknown shape: they are kept, and nothing was done about them.")
    return "\n".join(lines)


def _words(one: Counted) -> str:
    return f"{t.prose(one.name, 60)} (fired {one.turns}, sent {one.sent}, {one.services} services)"


def _rules(policy: Policy) -> str:
    lines = [f"{number}. {t.code(rule.words(), 300)}" for number, rule in enumerate(policy.rules, 1)]
    rest = "critical, high and unknown are investigated, warning is offered, info is left"
    lines.append(f"Otherwise: {rest}. At most {policy.budget} investigations an hour begin by themselves.")
    lines.append(
        f"Told in: {f'<#{policy.channel}>' if policy.channel else 'the first channel where alerts are heard'}."
    )
    if policy.labels:
        lines.append(f"Labels shown: {t.listing(policy.labels, most=MOST_LABELS)}.")
    return "\n".join(lines)


async def _change(call: CommandCall, words: Sequence[str], context: HandlerContext) -> str:
    if isinstance(denied := check(call.person.role, Permission.SET_POLICY), Denied):
        return denied.reason
    async with context.db.tenant(call.person.tenant_id) as s:
        try:
            policy = _changed(read_policy(await alerts.policy(s)), words, call.channel_id)
        except BadRule as exc:
            return t.prose(str(exc), 400)
        await alerts.save_policy(s, policy.as_json(), by=UserId(call.person.user_id))
        actor = audit.Actor(type="user", id=call.person.user_id)
        details = {"rules": len(policy.rules), "budget": policy.budget, "channel": policy.channel}
        await audit.record(
            s, actor=actor, action="slack.alert_rules.changed", target=call.person.tenant_id, details=details
        )
    return _rules(policy)


def _changed(policy: Policy, words: Sequence[str], channel: str) -> Policy:
    """Raises BadRule."""
    rules, budget, told_in, labels = policy.rules, policy.budget, policy.channel, policy.labels
    match list(words):
        case ["rule", "add", *rest]:
            if len(rules) >= MOST_RULES:
                raise BadRule(f"there are {MOST_RULES} rules already")
            rules = (*rules, parse_rule(rest))
        case ["rule", "remove", number] if number.isdecimal() and 1 <= int(number) <= len(rules):
            rules = rules[: int(number) - 1] + rules[int(number) :]
        case ["budget", number] if number.isdecimal() and len(number) <= 4:
            budget = int(number)
        case ["labels", *names] if len(names) <= MOST_LABELS:
            labels = tuple(names)
        case ["channel"]:
            told_in = channel
        case _:
            raise BadRule("That is no change I know: /autoheal alerts help")
    return Policy(rules=rules, budget=budget, channel=told_in, labels=labels)


COMMAND = AlertsCommand()
