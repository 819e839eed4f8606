"""Behind the verdict's Details button: every claim with its verbatim proof, explanation, dropped statement and source.

It opens at the result that a proof stands in, where a proof was clicked.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from agents.verdict import Dropped, Verdict
from handlers.slack.blocks import text as t
from handlers.slack.blocks import trace
from handlers.slack.blocks.message import Json, context, preformatted, sections
from handlers.slack.blocks.verdict import claim_line, figures
from store.incidents.artifacts import Artifact

_MOST_SHOWN: Final = 2_800  # characters of one result


def details(
    verdict: Verdict,
    artifacts: Sequence[Artifact],
    links: Mapping[str, str],
    *,
    place: str = "",
    remarks: Sequence[str] = (),
    speakers: Mapping[str, str] | None = None,
) -> list[Json]:
    """Blocks of a modal, at most 100. `place` is a result's number (`A3`), shown first and to the letter; `remarks` are
    what people said was wrong; `speakers` are Slack's user ids by the id of what they said meanwhile.
    """
    parts = [
        *(_place(verdict, one, links) for one in artifacts if f"A{one.number}" == place),
        _part("Said to be wrong", [t.prose(remark, 400) for remark in remarks]),
        _part("Claims", [claim_line(claim, links) for claim in verdict.claims], numbered=True),
        _part("Impact", [t.prose(verdict.impact, 300)] if verdict.impact.strip() else []),
        _part("Explanations", trace.explanations(verdict)),
        _part("Review", trace.reviewed(verdict)),
        _part("Said meanwhile", trace.steered(verdict, speakers or {})),
        _part("Not known", [t.prose(item, 200) for item in verdict.not_known]),
        _part("Could not be read", [f"{t.prose(name, 80)}: {t.prose(why, 200)}" for name, why in _silent(verdict)]),
        _part("Dropped, not proven", [_dropped(d) for d in verdict.dropped]),
        _part("Read", [_read(artifact, links) for artifact in artifacts]),
        _part("Spent", trace.costs(verdict)),
    ]
    blocks = [block for part in parts for block in part]
    return [*blocks[:98], *context(figures(verdict))]


def _place(verdict: Verdict, artifact: Artifact, links: Mapping[str, str]) -> list[Json]:
    number = f"A{artifact.number}"
    stands = [(claim.artifact, claim.quote) for claim in verdict.claims]
    stands += [(proof.artifact, proof.quote) for claim in verdict.claims for proof in claim.proofs]
    quotes = dict.fromkeys(quote for where, quote in stands if where == number and quote)
    told = f"*Where this stands* {_read(artifact, links)}"
    found = preformatted("\n".join(quotes)) if quotes else []
    rest = preformatted(t.clamp(artifact.text, _MOST_SHOWN)) if artifact.text.strip() else []
    return [*sections(told), *found, *sections("*The whole result*"), *rest]


def _silent(verdict: Verdict) -> Sequence[tuple[str, str]]:
    return verdict.looked.silent if verdict.looked is not None else ()


def _dropped(dropped: Dropped) -> str:
    """What is never shown in any form is told by its reason alone."""
    where = "" if dropped.where == "claims" else f"{dropped.where}: "
    reason = t.prose(f"{where}{dropped.reason}", 200)
    return f"{t.prose(dropped.text, 200)} ({reason})" if dropped.shown else f"({reason})"


def _part(title: str, lines: Sequence[str], *, numbered: bool = False) -> list[Json]:
    if not lines:
        return []
    shown = [f"{f'{number}.' if numbered else '•'} {line}" for number, line in enumerate(lines[:60], start=1)]
    if len(lines) > 60:
        shown.append(f"• and {len(lines) - 60} more")
    return sections("\n".join([f"*{title}*", *shown]))


def _read(artifact: Artifact, links: Mapping[str, str]) -> str:
    number = f"A{artifact.number}"
    failed = " *failed*" if artifact.is_error else ""
    source = t.prose(f"{artifact.tool} ({artifact.source})", 120)
    return f"{t.link(links.get(number), number)} {source} {t.clock(artifact.taken_at)}{failed}"
