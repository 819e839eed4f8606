"""`autoheal verify`: proves each promise of the privacy policy on this deployment."""

import argparse
import asyncio
import json
from pathlib import Path

HELP = "prove the promises of the privacy policy on this deployment"
PLACE = 10


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the signed report")
    parser.add_argument("--only", default="", metavar="P2,P14", help="these promises only")
    parser.add_argument("--check", type=Path, metavar="FILE", help="check a report's signature instead; needs --key")
    parser.add_argument("--key", type=Path, metavar="PUB", help="the deployment's public key (`autoheal audit key`)")
    parser.add_argument("--attest", metavar="P19", help="state what no program can see; needs --statement and --by")
    parser.add_argument("--statement", metavar="TEXT")
    parser.add_argument("--by", metavar="NAME")


def run(chosen: argparse.Namespace) -> int:
    """Exit code 0; 1 when a promise failed or a report cannot be trusted; 2 for a wrong call."""
    from bot.settings import SettingsError, load_settings
    from bot.verify import runner, shown
    from bot.verify.report import BadReport, check_report

    if chosen.check is not None:
        if chosen.key is None:
            raise SettingsError("--check needs --key, the deployment's public key: `autoheal audit key` prints it")
        try:
            report = check_report(chosen.check, chosen.key)
        except BadReport as exc:
            print(f"Not to be trusted: {exc}.")
            return 1
        print("\n".join(shown.lines(report)))
        return 0
    settings = load_settings()
    if chosen.attest is not None:
        if not chosen.statement or not chosen.by:
            raise SettingsError("--attest needs --statement, what is so, and --by, who says it")
        asyncio.run(shown.attest(settings, chosen.attest, chosen.statement, chosen.by))
        print(f"Stated for {chosen.attest}; it counts for 90 days.")
        return 0
    try:
        promises = runner.chosen([name for name in chosen.only.split(",") if name])
    except runner.UnknownPromise as exc:
        raise SettingsError(str(exc)) from exc
    signed = asyncio.run(runner.verify(settings, promises))
    report = signed["report"]
    print(json.dumps(signed, indent=2) if chosen.json else "\n".join(shown.lines(report)))
    return 1 if report["counts"]["failed"] or not report["cleaned_up"] else 0
