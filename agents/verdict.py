"""What an investigation concludes, as the model hands it in and as it is stored after the gate.

`Draft` is the argument of the `conclude` tool: untrusted. `Verdict` is what `agents/gate` lets through: stored, shown,
remembered. Only code makes a Verdict.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from agents.tool import Arguments
from agents.trace import Trace

ClaimStatus = Literal["observed", "derived", "inferred", "unknown"]
Side = Literal["for", "against", "rules_out", "context"]
Confidence = Literal["high", "medium", "low", "none"]
HypothesisState = Literal["open", "supported", "refuted"]
_SENTENCE_END: Final = re.compile(r"[.!?](?=\s|$)")


def trimmed(limit: int) -> BeforeValidator:
    """Cuts what is too long at the end of a sentence, else at a word: no draft is refused for its length."""

    def trim(value: object) -> object:
        if not isinstance(value, str) or len(value.strip()) <= limit:
            return value
        text = value.strip()[:limit]
        ends = [match.end() for match in _SENTENCE_END.finditer(text)]
        return text[: ends[-1]] if ends and ends[-1] > limit // 3 else text[: limit - 1].rsplit(" ", 1)[0] + "…"

    return BeforeValidator(trim)


def _parsed(value: object) -> object:
    """A model sometimes writes an object or a list as a text of JSON."""
    if isinstance(value, str) and value.strip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _readable(model: type[BaseModel], most: int) -> BeforeValidator:
    """Of a list those entries that can be read, at most so many: one that cannot does not cost the others."""

    def read(value: object) -> object:
        found = _parsed(value)
        items = [_parsed(item) for item in found] if isinstance(found, list | tuple) else [found]
        return tuple(item for item in items if isinstance(item, model) or _fits(model, item))[:most]

    return BeforeValidator(read)


def _fits(model: type[BaseModel], item: object) -> bool:
    try:
        model.model_validate(item)
    except ValidationError:
        return False
    return True


def _texts(limit: int, most: int) -> BeforeValidator:
    def read(value: object) -> object:
        found = _parsed(value)
        items = found if isinstance(found, list | tuple) else [found]
        return tuple(str(item)[:limit] for item in items if isinstance(item, str) and item.strip())[:most]

    return BeforeValidator(read)


def _hypothesis_id(value: object) -> str | None:
    """An id that cannot be one is left out rather than refused."""
    return value.strip() if isinstance(value, str) and re.fullmatch(r"H\d{1,2}", value.strip()) else None


class Drafted(Arguments):
    """Base of what a model hands in: unknown fields are ignored, nothing is refused for its form alone."""

    model_config = ConfigDict(extra="ignore", frozen=True, str_strip_whitespace=True)


class DraftProof(Drafted):
    """Where a claim stands."""

    artifact: str = Field(pattern=r"^A\d{1,4}$", description="Id of the tool result, such as A3.")
    quote: str = Field(
        max_length=2_000, description="Copied from that result; the line a doubting colleague would ask for."
    )


class DraftClaim(Drafted):
    """One statement."""

    text: Annotated[str, trimmed(400)] = Field(
        max_length=400,
        description="One plain sentence that says one thing. Numbers as the cited results have them, or rounded.",
    )
    status: ClaimStatus = Field(
        description="observed: a tool result says so; inferred: your reasoning, with sums, counts and ratios; unknown."
    )
    artifact: str | None = Field(
        default=None,
        pattern=r"^A\d{1,4}$",
        description="Id of the tool result, such as A3; required for observed.",
    )
    quote: str | None = Field(
        default=None,
        max_length=2_000,
        description="Copied from that result; required for observed.",
    )
    proofs: Annotated[tuple[DraftProof, ...], _readable(DraftProof, 3)] = Field(
        default=(), description="Up to three, instead of artifact and quote, where a claim compares results."
    )
    side: Side = Field(
        default="for",
        description="for the cause; against: the cause may be wrong; rules_out: clears another suspect; context.",
    )
    hypothesis: Annotated[str | None, BeforeValidator(_hypothesis_id)] = Field(
        default=None, description="Id of the hypothesis that it speaks for or against, such as H2; else the cause's."
    )

    @property
    def cited(self) -> tuple[DraftProof, ...]:
        """All its proofs."""
        if self.artifact and self.quote:
            return (DraftProof(artifact=self.artifact, quote=self.quote), *self.proofs)[:3]
        return self.proofs


class DraftCause(Drafted):
    """What broke."""

    service: str = Field(description="One of the declared services.")
    external: str | None = Field(default=None, description="Name of the outside dependency, when the fault lies there.")
    change: str | None = Field(
        default=None,
        description="Id of the change, as the change tools print it, when a change is the cause.",
    )
    kind: Annotated[str, trimmed(60)] = Field(
        default="fault",
        max_length=60,
        description="For example: slow query, pool exhausted, exception, memory leak, provider down, surge.",
    )
    statement: Annotated[str, trimmed(200)] = Field(
        default="", max_length=200, description="One sentence for a phone: what broke and why."
    )


class DraftHypothesis(Drafted):
    """One explanation that was considered."""

    id: str = Field(pattern=r"^H\d{1,2}$")
    text: Annotated[str, trimmed(160)] = Field(max_length=160)
    state: HypothesisState
    reason: Annotated[str, trimmed(200)] = Field(default="", max_length=200)


class DraftProposal(Drafted):
    """A remediation to propose. The plan itself is made by code from these arguments."""

    remediation: str
    arguments: dict[str, str] = Field(default_factory=dict)


class Draft(Drafted):
    """The investigator's conclusion."""

    headline: Annotated[str, trimmed(120)] = Field(
        default="", max_length=120, description="At most 120 characters: service, what broke, why."
    )
    cause: Annotated[DraftCause | None, BeforeValidator(_parsed)] = Field(
        default=None, description="null when no cause is confident: abstaining is an answer."
    )
    confidence: Confidence
    impact: Annotated[str, trimmed(300)] = Field(default="", max_length=300)
    claims: Annotated[tuple[DraftClaim, ...], _readable(DraftClaim, 12)] = Field(default=(), max_length=12)
    hypotheses: Annotated[tuple[DraftHypothesis, ...], _readable(DraftHypothesis, 8)] = Field(default=(), max_length=8)
    not_known: Annotated[tuple[str, ...], _texts(300, 8)] = Field(default=(), max_length=8)
    nothing_wrong: bool = Field(
        default=False, description="Only without a cause: all that was read is well, so there is no fault to find."
    )
    proposal: Annotated[DraftProposal | None, BeforeValidator(_parsed)] = None
    advice: Annotated[str, trimmed(300)] = Field(
        default="",
        max_length=300,
        description="What a person should do when there is no remediation here: whom to call, what would scale.",
    )


class DraftAnswer(Drafted):
    """What answers a question that asks for no diagnosis."""

    claims: Annotated[tuple[DraftClaim, ...], _readable(DraftClaim, 12)] = Field(
        min_length=1, max_length=12, description="The answer, the most direct claim first, each with its proofs."
    )
    not_known: Annotated[tuple[str, ...], _texts(300, 8)] = Field(default=(), max_length=8)

    def as_draft(self) -> Draft:
        """For the gate: a draft that names no cause."""
        return Draft(confidence="none", claims=self.claims, not_known=self.not_known)


def read_draft(raw: object) -> Draft:
    """A draft as a model handed it in, perhaps as a text of JSON. Raises ValidationError."""
    found = _parsed(raw)
    if isinstance(found, dict):
        found = {**found, **{key: None for key in ("cause", "proposal") if not _is_object(found.get(key))}}
    return Draft.model_validate(found)


def _is_object(value: object) -> bool:
    return isinstance(_parsed(value), dict | BaseModel)


class Stored(BaseModel):
    """Base of what is stored: closed and frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StoredProof(Stored):
    """A verbatim stretch of a stored result. `source` and `taken_at` (ISO) are the artifact's."""

    artifact: str
    source: str
    taken_at: str
    quote: str


class Claim(Stored):
    """A claim that passed. `artifact`, `source`, `taken_at` and `quote` are its first proof's, `proofs` are all.

    `derived`: code recomputed it from the cited cells. `because` tells why one drafted as observed is inferred.
    """

    text: str
    status: ClaimStatus
    side: Side
    artifact: str | None = None
    source: str | None = None
    taken_at: str | None = None
    quote: str | None = None
    proofs: tuple[StoredProof, ...] = ()
    because: str | None = None
    hypothesis: str | None = None


class Dropped(Stored):
    """What did not pass, where it stood and why: kept for the decision trace.

    `shown` is false for what is never shown in any form; then only the reason is.
    """

    text: str
    reason: str
    where: str = "claims"
    shown: bool = True


class Cause(Stored):
    """The cause after the gate. `change_verdict` tells whether the change is the cause or only coincides."""

    service: str
    external: str | None
    change: str | None
    change_verdict: Literal["cause", "coincides", "none"]
    kind: str
    statement: str


class Hypothesis(Stored):
    id: str
    text: str
    state: HypothesisState
    reason: str


class Proposal(Stored):
    remediation: str
    arguments: dict[str, str]


class Symptom(Stored):
    """The indicator by which the incident was seen, measured by code: it also judges healing."""

    service: str
    indicator: str
    unit: Literal["ratio", "seconds", "count", "bytes", "per_second"]
    family: str = "other"
    before: float
    now: float
    onset: str | None


class ChartSeries(Stored):
    name: str
    points: tuple[tuple[str, float], ...]


class Chart(Stored):
    """At most 20 points a series: what Slack's native chart takes. `unit` is "" in what older versions stored."""

    title: str
    unit: Literal["", "ratio", "seconds", "count", "bytes", "per_second"] = ""
    series: tuple[ChartSeries, ...]


class Looked(Stored):
    """Which sources were read, by title, and which told nothing, each with why: made by code from the results.

    `nothing_wrong` is set where all that was read is well.
    """

    read: tuple[str, ...]
    silent: tuple[tuple[str, str], ...] = ()
    nothing_wrong: bool = False


class Verdict(Stored):
    """The stored conclusion of one investigation.

    `answers` where it answers a question and diagnoses nothing: the claims are the answer. `asked` is what people said
    meanwhile. `checked` are the sources that were read, successfully; `looked` and `trace` are None in
    what versions before them stored.
    """

    headline: str
    cause: Cause | None
    confidence: Confidence
    impact: str
    claims: tuple[Claim, ...]
    dropped: tuple[Dropped, ...]
    hypotheses: tuple[Hypothesis, ...]
    not_known: tuple[str, ...]
    checked: tuple[str, ...]
    looked: Looked | None = None
    proposal: Proposal | None
    proposal_refused: str | None = None
    advice: str
    asked: tuple[str, ...] = ()
    answers: bool = False
    symptom: Symptom | None
    chart: Chart | None
    model: str
    offline_because: str | None = None
    seconds: float
    reads: int
    cost_usd: float
    trace: Trace | None = None
