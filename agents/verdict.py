"""What an investigation concludes, as the model hands it in and as it is stored after the gate.

`Draft` is the argument of the `conclude` tool: untrusted. `Verdict` is what `citations.check_draft` lets through:
stored, shown, remembered. Only code makes a Verdict.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agents.tool import Arguments

ClaimStatus = Literal["observed", "inferred", "unknown"]
Confidence = Literal["high", "medium", "low", "none"]
HypothesisState = Literal["open", "supported", "refuted"]


class DraftClaim(Arguments):
    """One statement."""

    text: str = Field(max_length=400, description="One plain sentence. Numbers in it must stand in the cited result.")
    status: ClaimStatus = Field(
        description="observed: a tool result says so; inferred: follows from observed ones; unknown."
    )
    artifact: str | None = Field(
        default=None,
        pattern=r"^A\d{1,4}$",
        description="Id of the tool result, such as A3; required for observed.",
    )
    quote: str | None = Field(
        default=None,
        max_length=400,
        description="Copied character by character from that result; required for observed.",
    )
    side: Literal["for", "against", "context"] = Field(
        default="for", description="Whether it speaks for or against the stated cause."
    )


class DraftCause(Arguments):
    """What broke."""

    service: str = Field(description="One of the declared services.")
    external: str | None = Field(default=None, description="Name of the outside dependency, when the fault lies there.")
    change: str | None = Field(
        default=None,
        description="Id of the change, as the change tools print it, when a change is the cause.",
    )
    kind: str = Field(
        max_length=60,
        description="For example: slow query, pool exhausted, exception, memory leak, provider down, surge.",
    )
    statement: str = Field(max_length=200, description="One sentence for a phone: what broke and why.")


class DraftHypothesis(Arguments):
    """One explanation that was considered."""

    id: str = Field(pattern=r"^H\d{1,2}$")
    text: str = Field(max_length=160)
    state: HypothesisState
    reason: str = Field(default="", max_length=200)


class DraftProposal(Arguments):
    """A remediation to propose. The plan itself is made by code from these arguments."""

    remediation: str
    arguments: dict[str, str] = Field(default_factory=dict)


class Draft(Arguments):
    """The investigator's conclusion."""

    headline: str = Field(max_length=120, description="At most 120 characters: service, what broke, confidence.")
    cause: DraftCause | None = Field(
        default=None, description="null when no cause is confident: abstaining is an answer."
    )
    confidence: Confidence
    impact: str = Field(default="", max_length=300)
    claims: tuple[DraftClaim, ...] = Field(default=(), max_length=12)
    hypotheses: tuple[DraftHypothesis, ...] = Field(default=(), max_length=8)
    not_known: tuple[str, ...] = Field(default=(), max_length=8)
    nothing_wrong: bool = Field(
        default=False, description="Only without a cause: all that was read is well, so there is no fault to find."
    )
    proposal: DraftProposal | None = None
    advice: str = Field(
        default="",
        max_length=300,
        description="What a person should do when there is no remediation here: whom to call, what would scale.",
    )


class Stored(BaseModel):
    """Base of what is stored: closed and frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Claim(Stored):
    """A claim that passed. `artifact` is the number (A3), `source` and `taken_at` (ISO) are the stored artifact's."""

    text: str
    status: ClaimStatus
    side: Literal["for", "against", "context"]
    artifact: str | None = None
    source: str | None = None
    taken_at: str | None = None
    quote: str | None = None


class Dropped(Stored):
    """A claim that did not pass, and why: kept for the decision trace."""

    text: str
    reason: str


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
    """At most 20 points a series: what Slack's native chart takes."""

    title: str
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

    `checked` are the sources that were read, successfully; `looked` is None in what versions before it stored.
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
    symptom: Symptom | None
    chart: Chart | None
    model: str
    offline_because: str | None = None
    seconds: float
    reads: int
    cost_usd: float
