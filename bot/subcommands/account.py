"""`autoheal account invite EMAIL`: the way to the first admin's account, and back in for who forgot the password."""

import argparse

HELP = "invite somebody to the API"
PLACE = 6


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    invite = actions.add_parser("invite", help="print a token that makes one account, once, within a week")
    invite.add_argument("email")
    invite.add_argument("--role", choices=("viewer", "member", "admin"), default="member")
    invite.add_argument("--tenant", help="the organisation's id; not needed when there is one only")
    invite.add_argument("--user", help="the id of a user known from Slack, who keeps role and history")
    forget = actions.add_parser("forget", help="delete somebody's account, so that they can be invited anew")
    forget.add_argument("email")
    forget.add_argument("--tenant", help="the organisation's id; not needed when there is one only")


def run(chosen: argparse.Namespace) -> int:
    from bot.account_invitation import forget, invite

    if chosen.action == "forget":
        return forget(chosen.email, tenant=chosen.tenant)
    return invite(chosen.email, role=chosen.role, tenant=chosen.tenant, user=chosen.user)
