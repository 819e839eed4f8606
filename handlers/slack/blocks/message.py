"""A message and the few blocks that it is built from, within Slack's limits.

Limits: https://docs.slack.dev/reference/block-kit/blocks. Mrkdwn is sent `verbatim`: addresses in it are not linked.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from slack_sdk.models.blocks import ContextActionsBlock, FeedbackButtonObject, FeedbackButtonsElement

from agents.verdict import Chart
from handlers.slack.blocks import text as t

Json = dict[str, Any]  # one block or element, as Slack's API takes it

MOST_BLOCKS: Final = 50
SECTION_LIMIT: Final = 3_000
CONTEXT_LIMIT: Final = 2_000
BUTTON_TEXT_LIMIT: Final = 75
TEXT_LIMIT: Final = 4_000


@dataclass(frozen=True, kw_only=True)
class Message:
    """`text` is what a phone shows: at most 120 characters. `blocks` are what the thread shows."""

    text: str
    blocks: tuple[Json, ...] = ()

    @property
    def body_hash(self) -> str:
        """The same for messages that look the same."""
        body = json.dumps([self.text, self.blocks], sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(body.encode()).hexdigest()


def said(words: str) -> Message:
    """Plain mrkdwn of any length. `words` are ours; foreign text in them has been escaped before."""
    return Message(text=t.push(t.unescape(words)), blocks=tuple(sections(words)))


PICTURES: Final = frozenset({"data_visualization"})
"""Blocks that Slack gives to one workspace after the other, and refuses until then."""


def without_pictures(blocks: Sequence[Json]) -> list[Json]:
    """Words in their place: what is drawn, with the first and last value of each line."""
    made: list[Json] = []
    for block in blocks:
        made += context(_spelled(block)) if block.get("type") in PICTURES else [block]
    return made


def _spelled(block: Json) -> str:
    drawn = [
        f"{one['name']} {t.number(one['data'][0]['value'])} -> {t.number(one['data'][-1]['value'])}"
        for one in block["chart"]["series"]
    ]
    return t.escape(f"{block['title']}: {', '.join(drawn)}")


def flattened(message: Message) -> str:
    """All words of a message without its blocks: what is sent when Slack refuses the blocks."""
    words: list[str] = []
    _collect(list(message.blocks), words)
    return t.clamp("\n".join([message.text, *words]), TEXT_LIMIT - 100)


def _collect(node: object, words: list[str]) -> None:
    if isinstance(node, list):
        for child in node:
            _collect(child, words)
    elif isinstance(node, dict) and node.get("type") not in ("actions", "context_actions", "data_visualization"):
        for name, child in node.items():
            if name in ("text", "title") and isinstance(child, str):
                words.append(child)
            elif isinstance(child, dict | list):
                _collect(child, words)


def sections(mrkdwn: str, *, block_id: str | None = None) -> list[Json]:
    """One section, or several when the text is longer than one may be."""
    pieces = t.split(mrkdwn, SECTION_LIMIT)
    made: list[Json] = [{"type": "section", "text": _mrkdwn(piece)} for piece in pieces]
    if made and block_id:
        made[0]["block_id"] = block_id
    return made


def context(*lines: str) -> list[Json]:
    """Small print, one block."""
    kept = [t.clamp(line, CONTEXT_LIMIT) for line in lines if line.strip()]
    return [{"type": "context", "elements": [_mrkdwn(line) for line in kept[:10]]}] if kept else []


def fields(pairs: Sequence[tuple[str, str]]) -> list[Json]:
    """Label above value, two columns, ten a block. Values are mrkdwn."""
    items = [_mrkdwn(f"*{label}*\n{t.clamp(value, 1_900)}") for label, value in pairs if value]
    return [{"type": "section", "fields": items[start : start + 10]} for start in range(0, len(items), 10)]


def preformatted(text: str) -> list[Json]:
    """Foreign text to the letter: no markup is read, and hidden characters are spelled out."""
    return [
        {
            "type": "rich_text",
            "elements": [{"type": "rich_text_preformatted", "elements": [{"type": "text", "text": piece}]}],
        }
        for piece in t.split(t.visible(text), SECTION_LIMIT)
    ]


def button(action_id: str, label: str, value: str, *, style: Literal["primary", "danger"] | None = None) -> Json:
    """A button; `value` is an opaque id and never content."""
    made: Json = {
        "type": "button",
        "action_id": action_id,
        "text": {"type": "plain_text", "text": t.plain(label, BUTTON_TEXT_LIMIT) or action_id},
        "value": value,
    }
    return made | {"style": style} if style else made


def actions(*buttons: Json, block_id: str | None = None) -> list[Json]:
    """A row of buttons, nothing when there is none."""
    if not buttons:
        return []
    row: Json = {"type": "actions", "elements": list(buttons)}
    return [row | {"block_id": block_id} if block_id else row]


def feedback(investigation_id: str) -> Json:
    """Thumbs for one investigation. The values are `<investigation id>:good` and `<investigation id>:bad`."""
    buttons = FeedbackButtonsElement(
        action_id="feedback",
        positive_button=FeedbackButtonObject(text="Right", value=f"{investigation_id}:good"),
        negative_button=FeedbackButtonObject(text="Wrong", value=f"{investigation_id}:bad"),
    )
    made: Json = ContextActionsBlock(elements=[buttons]).to_dict()
    return made


_SCALES: Final[Mapping[str, tuple[float, str]]] = {
    "ratio": (100.0, "%"),
    "milliseconds": (1000.0, "ms"),
    "seconds": (1.0, "s"),
    "bytes": (1e-6, "MB"),
    "per_second": (1.0, "per second"),
}


def chart(drawn: Chart) -> list[Json]:
    """A native line chart of at most 6 series and 20 points; nothing when no two points can be drawn.

    Slack wants the same labels in every series, so only labels that all series share are drawn.
    """
    series: list[tuple[str, Mapping[str, float]]] = []
    for one in drawn.series[:6]:
        values = {t.plain(label, 20): value for label, value in one.points if abs(value) < 1e15}
        label = t.plain(one.name, 20) or "series"
        if values and label not in {known for known, _ in series}:
            series.append((label, values))
    if not series:
        return []
    shared = [label for label in series[0][1] if label and all(label in values for _, values in series)][-20:]
    if len(shared) < 2:
        return []
    short = drawn.unit == "seconds" and max(values[label] for _, values in series for label in shared) < 1
    scale, unit = _SCALES.get("milliseconds" if short else drawn.unit, (1.0, ""))
    data = [
        {"name": name, "data": [{"label": label, "value": _rounded(values[label] * scale)} for label in shared]}
        for name, values in series
    ]
    axes: Json = {"categories": shared, "x_label": "UTC"} | ({"y_label": unit} if unit else {})
    title = t.plain(drawn.title, 50 - len(unit) - 2)
    block: Json = {
        "type": "data_visualization",
        "title": (f"{title}, {unit}" if unit and title else title) or "Measured",
        "chart": {"type": "line", "series": data, "axis_config": axes},
    }
    return [block]


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def fit(message: Message) -> list[Message]:
    """The message, or as many as it takes when it holds more blocks than one may."""
    if len(message.blocks) <= MOST_BLOCKS:
        return [message]
    starts = range(0, len(message.blocks), MOST_BLOCKS)
    count = len(starts)
    return [
        Message(
            text=message.text if not place else t.push(f"({place + 1}/{count}) {t.unescape(message.text)}"),
            blocks=message.blocks[start : start + MOST_BLOCKS],
        )
        for place, start in enumerate(starts)
    ]


def _mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text, "verbatim": True}
