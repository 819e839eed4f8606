"""Puts a labelled battery of claims, or of whole drafts, through the truth gate.

    python benchmarks/gate.py --data DIR --out FILE [claims|drafts]

DIR holds `cases/<case>/evidence.json`, `claims.jsonl` and `drafts.jsonl`; one answer a line is written to FILE, which
the battery's own score reads. Its evidence has the shape of an earlier version: text and facts, no rows.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])

from agents.gate.claims import Proof, Run, judge
from agents.gate.draft import Checked, check_draft
from agents.gate.evidence import Evidence
from agents.gate.older import Older, read_older
from agents.verdict import Draft


def run_of(case: Path) -> Run:
    """The stored results of one investigation, with rows."""
    told = json.loads((case / "evidence.json").read_text())
    return Run(evidence={a["id"]: evidence_of(a) for a in told["artifacts"]}, services=tuple(told["services"]))


def evidence_of(artifact: dict[str, Any]) -> Evidence:
    taken_at = datetime.fromisoformat(artifact["taken_at"])
    older = Older(
        tool=artifact["tool"],
        arguments=artifact["arguments"],
        text=artifact["text"],
        facts=artifact["facts"],
        taken_at=taken_at,
        is_error=artifact["is_error"],
    )
    return Evidence(
        id=artifact["id"],
        tool=artifact["tool"],
        source=artifact["source"],
        text=artifact["text"],
        facts=artifact["facts"],
        taken_at=taken_at,
        is_error=artifact["is_error"],
        rows=read_older(older),
        arguments=artifact["arguments"],
    )


def claims(data: Path, *, verbose: bool) -> list[dict[str, Any]]:
    """`derived` is a kind of observed: code recomputed it from cited cells."""
    runs = {case.name: run_of(case) for case in sorted((data / "cases").iterdir())}
    answers = []
    for line in (data / "claims.jsonl").read_text().splitlines():
        claim = json.loads(line)
        proofs = [Proof(artifact=p["artifact"], quote=p["quote"]) for p in claim["proofs"]]
        judged = judge(claim["text"], claim["status"], proofs, runs[claim["case"]])
        shown = {"observed": "observed", "derived": "observed", "inferred": "inferred", None: "dropped"}[judged.status]
        answers.append({"case": claim["case"], "id": claim["id"], "shown": shown})
        wrong = (claim["truth"] and shown == "dropped") or (not claim["truth"] and shown == "observed")
        weak = claim["truth"] and claim["status"] == "observed" and shown == "inferred"
        if verbose:
            mark = "WRONG" if wrong else "weak" if weak else "ok"
            truth = "T" if claim["truth"] else "F"
            print(
                f"{mark:5} {truth} {judged.status or 'dropped':9} {claim['kind']:22} {claim['text']} | {judged.reason}"
            )
    return answers


def drafts(data: Path, *, verbose: bool) -> list[dict[str, Any]]:
    runs = {case.name: run_of(case) for case in sorted((data / "cases").iterdir())}
    answers = []
    for line in (data / "drafts.jsonl").read_text().splitlines():
        told = json.loads(line)
        run = runs[told["case"]]
        checked = check_draft(Draft.model_validate(told["draft"]), list(run.evidence.values()), run.services)
        answers.append({"case": told["case"], "id": told["id"], **answer(checked)})
        if verbose:
            print(told["id"], told["kind"], answers[-1], checked.problems, checked.notes, sep="\n    ")
    return answers


def answer(checked: Checked) -> dict[str, Any]:
    """What a reader is shown: all sentences and verbatim quotes of the verdict."""
    cause = checked.cause
    shown = [
        checked.headline,
        *([cause.statement, cause.kind, cause.change or "", cause.external or "", cause.service] if cause else []),
        checked.impact,
        checked.advice,
        *(f"{claim.text} {claim.quote or ''}" for claim in checked.claims),
        *(f"{h.text} {h.reason}" for h in checked.hypotheses),
        *checked.not_known,
        checked.proposal_refused or "",
        checked.proposal.remediation if checked.proposal else "",
    ]
    return {
        "cause_service": cause.service if cause else None,
        "change_is_cause": cause is not None and cause.change_verdict == "cause",
        "confidence": checked.confidence,
        "proposal": checked.proposal.model_dump() if checked.proposal else None,
        "text": "\n".join(shown),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", nargs="?", choices=("claims", "drafts"), default="claims")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("-v", "--verbose", action="store_true")
    chosen = parser.parse_args()
    answers = (claims if chosen.what == "claims" else drafts)(chosen.data, verbose=chosen.verbose)
    chosen.out.write_text("".join(json.dumps(answer) + "\n" for answer in answers))


if __name__ == "__main__":
    main()
