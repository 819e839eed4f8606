"""Words and numbers as Slack shows them: foreign text made harmless, times in each reader's own zone, figures a person
reads at 3 am.

Text of models and tools is never trusted: what hides (bidirectional, zero-width and control characters) is taken out,
`&`, `<` and `>` are escaped so that no mention or link can be written, and sections are sent `verbatim`, so that Slack
does not turn a bare address into a link. https://docs.slack.dev/messaging/formatting-message-text

A time in mrkdwn is a date token, which Slack shows in the reader's zone; where no mrkdwn is read it is said in UTC.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from urllib.parse import quote as percent_encode
from urllib.parse import urlsplit

from agents.english import counted

Unit = Literal["ratio", "seconds", "count", "bytes", "per_second"]

PUSH_LIMIT: Final = 120
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_BREAKS: Final = frozenset("\n\u2028\u2029\u0085")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# Slack formats between marks at the edges of words. Either edge counts: our own marks may stand beside the text.
_MARK: Final = re.compile(r"(?<![A-Za-z0-9])[*_~]+(?=\S)|(?<=\S)[*_~]+(?![A-Za-z0-9])|^[*_~]+|[*_~]+$", re.MULTILINE)
_QUOTATION: Final = re.compile(r"^&gt;(?:&gt;)*", re.MULTILINE)
_LOOKS_LIKE: Final = str.maketrans(
    {"*": "\N{ASTERISK OPERATOR}", "_": "\N{MODIFIER LETTER LOW MACRON}", "~": "\N{TILDE OPERATOR}"}
)
_TOKEN: Final = re.compile(r"<!date\^\d+\^[^|>]*\|([^>]*)>")
_SCHEME: Final = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,20}):(?=//)|\b(mailto|tel):(?=\S)")


def clean(text: str) -> str:
    """Without invisible and control characters. Line breaks stay, tabs become a space."""
    kept: list[str] = []
    for character in text:
        if character in _BREAKS:
            kept.append("\n")
        elif character == "\t":
            kept.append(" ")
        elif unicodedata.category(character) not in _HIDDEN:
            kept.append(character)
    return "".join(kept)


def visible(text: str) -> str:
    """Nothing is taken out: what hides is spelled as its code point, for a command that is shown to the letter."""
    return "".join(
        character if character == "\n" or unicodedata.category(character) not in _HIDDEN else f"\\u{ord(character):04x}"
        for character in text
    )


def one_line(text: str) -> str:
    """Cleaned, with every run of white space as one space."""
    return " ".join(clean(text).split())


def clamp(text: str, limit: int) -> str:
    """At most `limit` characters, cut after a word with an ellipsis. A first word that is too long is cut inside."""
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    on_word = head if text[limit - 1].isspace() else head.rpartition(" ")[0]
    return (on_word.rstrip() or head) + "…"


def escape(text: str) -> str:
    """For mrkdwn, which has no escape for its own marks: no mention, link, code span, emphasis or quotation of the
    text's own. A mark that would format is shown as the character that looks like it; within a word it stays.
    """
    shown = clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("`", "'")
    shown = _QUOTATION.sub("\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}", shown)
    return _MARK.sub(lambda mark: mark[0].translate(_LOOKS_LIKE), shown)


def unescape(mrkdwn: str) -> str:
    """What `escape` was given, without bold and code marks and with times in UTC: for the plain line of a phone."""
    bare = _TOKEN.sub(r"\1", mrkdwn).replace("*", "").replace("`", "")
    return bare.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def prose(text: str, limit: int = 400) -> str:
    """Foreign text as one escaped line; `limit` counts characters as they are read, before the escapes."""
    return escape(clamp(one_line(text), limit))


def plain(text: str, limit: int) -> str:
    """Foreign text for places that take no mrkdwn and cannot be told to leave addresses alone: task titles, buttons."""
    return clamp(_without_links(one_line(text)), limit)


def push(text: str) -> str:
    """A message's `text`, what a phone shows: one escaped line of at most 120 characters, escapes counted. An arrow is
    one character: not everything that shows a notification reads the escapes.
    """
    line = _without_links(one_line(text)).replace("->", "\N{RIGHTWARDS ARROW}")
    limit = PUSH_LIMIT
    while len(shown := escape(clamp(line, limit))) > PUSH_LIMIT:
        limit -= 1
    return shown or "Autoheal"


def _without_links(text: str) -> str:
    return _SCHEME.sub(lambda match: f"{match[1] or match[2]} :", text).replace("](", "] (")


def code(text: str, limit: int = 200) -> str:
    """One line of foreign text between backticks. Three when the line itself holds one, so that it stays verbatim."""
    line = clamp(one_line(text), limit).replace("```", "'''")
    fence = "```" if "`" in line else "`"
    escaped = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"{fence}{escaped}{fence}" if escaped else ""


def link(url: str | None, label: str) -> str:
    """`label` linked when `url` is http(s), plain otherwise. Only for a connector's addresses, never a model's."""
    shown = prose(label, 80)
    if not url or len(url) > 2000:
        return shown
    try:
        parts = urlsplit(url)
    except ValueError:
        return shown
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        return shown
    safe = percent_encode(clean(url), safe="%/:?#[]@!$&'()*+,;=~-._").replace("&", "&amp;")
    return f"<{safe}|{shown.replace('|', '/')}>"


def mention(slack_user_id: str | None) -> str:
    """A person by Slack id."""
    return f"<@{slack_user_id}>" if slack_user_id and slack_user_id.isalnum() else "somebody"


def split(text: str, limit: int) -> list[str]:
    """Pieces of at most `limit` characters, cut at line breaks, else between words, else hard. Nothing is lost."""
    pieces: list[str] = []
    rest = text
    while len(rest) > limit:
        window = rest[: limit + 1]
        cut = max(window.rfind("\n"), 0) or max(window.rfind(" "), 0)
        head, rest = (rest[:cut], rest[cut + 1 :]) if cut else (rest[:limit], rest[limit:])
        pieces.append(head)
    pieces.append(rest)
    return [piece for piece in pieces if piece.strip()]


def listing(items: Sequence[str], *, most: int, limit: int = 80) -> str:
    """Escaped, comma separated, with the number of those left out."""
    shown = ", ".join(prose(item, limit) for item in items[:most])
    return f"{shown} and {len(items) - most} more" if len(items) > most else shown


def sentence(parts: Iterable[str]) -> str:
    """Parts joined by spaces, each ended with a full stop."""
    ended = [part if part.endswith((".", "!", "?", "…")) else f"{part}." for part in parts if part]
    return " ".join(ended)


def clock(at: datetime | None) -> str:
    """`02:49:10` in the reader's zone, as a date token for mrkdwn. Empty for None."""
    return _token(at, "{time_secs}", f"{at.astimezone(UTC):%H:%M:%S} UTC") if at else ""


def minute(at: datetime | None) -> str:
    """`02:54` in the reader's zone, as a date token for mrkdwn. Empty for None."""
    return _token(at, "{time}", utc_minute(at)) if at else ""


def day_minute(at: datetime) -> str:
    """`Nov 13 at 02:54`, or `today at 02:54`, in the reader's zone, as a date token for mrkdwn."""
    return _token(at, "{date_short_pretty} at {time}", utc_day_minute(at))


def utc_minute(at: datetime) -> str:
    """`02:54 UTC`, where no mrkdwn is read."""
    return f"{at.astimezone(UTC):%H:%M} UTC"


def utc_day_minute(at: datetime) -> str:
    """`13 Nov 02:54 UTC`, where no mrkdwn is read."""
    utc = at.astimezone(UTC)
    return f"{utc.day} {utc:%b %H:%M} UTC"


def _token(at: datetime, shape: str, otherwise: str) -> str:
    return f"<!date^{int(at.timestamp())}^{shape}|{otherwise}>"


def moment(iso: str | None) -> datetime | None:
    """An ISO 8601 time as stored in a verdict; None for anything else."""
    if not iso:
        return None
    try:
        parsed = datetime.fromisoformat(iso)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def duration(length: timedelta | float) -> str:
    """`13 s`, `3 min`, `2 min 30 s`, `24 h`, from a timedelta or seconds."""
    total = length.total_seconds() if isinstance(length, timedelta) else length
    if not abs(total) < 1e9:
        return "?"
    seconds = max(0, round(total))
    if seconds < 60:
        return f"{seconds} s"
    minutes, rest = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def number(value: float, *, digits: int = 2) -> str:
    """`digits` decimals at most, two significant digits below one, no trailing zeros."""
    if not math.isfinite(value):
        return "?"
    if abs(value) >= 1e9:
        return f"{value:.3g}"
    if value == 0 or abs(value) >= 1:
        return f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}"
    return f"{value:.2g}" if abs(value) >= 0.0001 else f"{value:.0e}"


def percent(ratio: float) -> str:
    """`0.3%` of 0.003."""
    value = ratio * 100
    return f"{number(value, digits=1)}%"


def measure(value: float, unit: Unit) -> str:
    """A value with its unit: `9%`, `180 ms`, `512 MB`, `30/s`, `12`."""
    if unit == "ratio":
        return percent(value)
    if unit == "seconds":
        return f"{number(value * 1000, digits=0)} ms" if abs(value) < 1 else f"{number(value)} s"
    if unit == "bytes":
        return _bytes(value)
    return f"{number(value, digits=1)}/s" if unit == "per_second" else number(value)


def _bytes(value: float) -> str:
    size = value
    for name in ("B", "kB", "MB", "GB"):
        if abs(size) < 1000:
            return f"{number(size, digits=1)} {name}"
        size /= 1000
    return f"{number(size, digits=1)} TB"


def dollars(cost_usd: float) -> str:
    """`$0.19`; `$0` for nothing; `under $0.01` for less than a cent."""
    if not math.isfinite(cost_usd) or cost_usd <= 0:
        return "$0"
    return "under $0.01" if cost_usd < 0.01 else f"${cost_usd:,.2f}"


def indicator(name: str) -> str:
    """An indicator as a person says it: `error_ratio` is `errors`, `latency_p95` is `latency p95`."""
    words = prose(name.replace("_", " "), 40)
    return {"error ratio": "errors", "error rate": "errors"}.get(words, words)


def change(before: float, now: float, unit: Unit) -> str:
    """From one value to another, with an arrow that no line is broken in."""
    return f"{measure(before, unit)} \N{RIGHTWARDS ARROW} {measure(now, unit)}"


def version(name: str) -> str:
    """A commit by its first seven digits, as people name it; any other version as it is."""
    return name[:7] if _COMMIT.fullmatch(name) else name


def plural(count: int, noun: str) -> str:
    return counted(count, noun)
