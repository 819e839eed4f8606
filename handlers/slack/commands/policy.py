"""`/autoheal policy`: what may be done without a click, and stopping that at once."""

from typing import Final, get_args

from agents.approvals import policy
from agents.approvals.policy import BadPolicy
from agents.permission import Denied, Permission
from handlers.slack.blocks import text as t
from handlers.slack.command import Command, CommandCall
from handlers.slack.context import HandlerContext
from store.database.session import TenantSession
from store.tenancy.autonomy import AutonomyLevel, AutonomyPolicy, RiskClass

_HELP: Final = (
    "`/autoheal policy` shows it, `/autoheal policy pause [30m | 2h | 1d]` makes everything wait for a click. "
    "For admins: `/autoheal policy resume`, `/autoheal policy low automatic` (low risk only; or `approve`, `suggest`), "
    "`/autoheal policy medium suggest`, `/autoheal policy cap <number an hour>`."
)


class PolicyCommand(Command):
    name = "policy"
    usage = "[pause [2h] | resume | low automatic | cap 3]"
    summary = "what I may do without a click; `pause` stops that at once"
    permission = Permission.READ

    async def run(self, call: CommandCall, context: HandlerContext) -> None:
        async with context.db.tenant(call.person.tenant_id) as s:
            try:
                changed = await _change(s, call)
            except BadPolicy as exc:
                changed = Denied(f"{exc}.")
            lines = await policy.described(s, context.clock())
        if isinstance(changed, Denied):
            await call.reply.privately(f"{t.prose(changed.reason, 400)}\n{_HELP}")
            return
        await call.reply.privately("*Without a click*\n" + "\n".join(f"• {line}" for line in lines))


async def _change(s: TenantSession, call: CommandCall) -> AutonomyPolicy | Denied | None:
    """None where nothing is changed. Raises BadPolicy."""
    words = call.rest.lower().split()
    match words:
        case []:
            return None
        case ["pause", *length]:
            return await policy.pause(s, call.person, policy.read_length("".join(length)) if length else None)
        case ["resume"]:
            return await policy.resume(s, call.person)
        case ["cap", number] if number.isdecimal() and len(number) < 5:
            return await policy.set_levels(s, call.person, {}, hourly_cap=int(number))
        case [risk, level]:
            return await policy.set_levels(s, call.person, {_risk(risk): _level(level)})
        case _:
            raise BadPolicy("That is no change I know")


def _risk(word: str) -> RiskClass:
    match word:
        case "low" | "medium" | "high":
            return word
        case _:
            raise BadPolicy(f"A risk class is one of {', '.join(get_args(RiskClass))}")


def _level(word: str) -> AutonomyLevel:
    match word:
        case "suggest" | "approve" | "automatic":
            return word
        case _:
            raise BadPolicy(f"A level is one of {', '.join(get_args(AutonomyLevel))}")


COMMAND = PolicyCommand()
