"""`autoheal demo`: the main job on embedded defaults."""

import argparse
import asyncio

HELP = "a local workspace and a shop that really breaks; no account needed"
PLACE = 4
DESCRIPTION = """Starts a Slack-like page on this machine and a small shop, breaks the shop, and investigates it.
Nothing leaves this machine unless --claude is given. Ctrl-C ends it and removes everything it made."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scenario", default="config-cut", help="a name, `random` or `all`")
    parser.add_argument("--seed", type=int, default=None, help="varies names, the faulty place, onset and load")
    parser.add_argument("--headless", action="store_true", help="approve by itself and end, without a page")
    parser.add_argument("--json", action="store_true", help="with --headless: one JSON line per scenario")
    parser.add_argument(
        "--claude", action="store_true", help="investigate with Claude by ANTHROPIC_API_KEY; else nothing leaves"
    )
    parser.add_argument(
        "--as",
        dest="source",
        choices=("git", "github", "grafana", "kubernetes"),
        default="git",
        help="what the shop is seen through: its own checkout and files; a strict local GitHub for its deployments and "
        "their way back; a strict local Grafana with Loki behind it for its logs; or a strict local Kubernetes API "
        "server for rollouts, pods, events and logs, through which a rollout is undone and a workload restarted, while "
        "metrics come from the services and code from the checkout",
    )
    parser.add_argument("--port", type=int, default=0, help="port of the page; 0 takes a free one")


def run(chosen: argparse.Namespace) -> int:
    from bot.demonstration import Choice, demonstrate

    choice = Choice(
        scenario=chosen.scenario,
        seed=chosen.seed,
        headless=chosen.headless,
        as_json=chosen.json,
        port=chosen.port,
        claude=chosen.claude,
        seen_as=chosen.source,
    )
    return asyncio.run(demonstrate(choice))
