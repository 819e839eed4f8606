"""What is never shown in any form, whoever says it: commands, links, guilt of people, and harm that no result states.

Judged a sentence at a time, so that the rest of a longer text can stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from agents.gate.words import plain, stem, stem_set, stems

_LINK: Final = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,9}://|\bwww\.|\bmailto:|\b[\w.+-]+@[\w-]+\.[a-z]{2,}|\bhxxps?\b|\]\(|<[#@!][^>]*>"
    r"|\b(?:[a-z0-9-]+\.)+(?:com|org|net|io|dev|app|example|info|co|me|sh|ru|cn|xyz)/\S",
    re.IGNORECASE,
)
_PROGRAMS: Final = (
    r"kubectl|helm|docker|podman|systemctl|journalctl|curl|wget|sudo|bash|zsh|ssh|scp|rsync|terraform|ansible"
    r"|psql|mysql"
    r"|redis-cli|mongosh|make|npm|yarn|pip|git|gcloud|aws|az|chmod|chown|rm|kill|pkill|killall|nohup|crontab"
    r"|iptables|dd"
    r"|apt|apt-get|yum|brew|python3?|node|java|nginx|service|sed|awk|tee|eval|reboot|shutdown"
)
_SHELL: Final = re.compile(
    rf"(?:\b(?:run|execute|type|enter|call|use|issue|paste|invoke|launch|try)\s+(?:the"
    rf" command\s+)?[`'\"$]*(?:{_PROGRAMS})\b)"
    rf"|(?:^|[`$;|&(]|\b(?:with|via|by|then|and|using)\s)\s*(?:sudo\s+)?(?:{_PROGRAMS})\s+(?:-{{1,2}}\w"
    rf"|[\w./-]+\s+[\w./-]+(?:/|\s--?\w)|(?:restart|stop|start|rollout|delete|apply|exec|scale|install|clone|push"
    rf"|revert|reset|kill|deploy)\b)"
    r"|\$\(|\s\|\s*(?:sudo\s+)?(?:ba|z)?sh\b|&&|>\s*/dev|\brm\s+-\w|\bsudo\b|\s--[a-z][\w-]+(?:[ =]|$)"
    r"|\b(?:drop|truncate)\s+(?:table|database|index)\b|\bdelete\s+from\b|\bupdate\s+\w+\s+set\b|\balter\s+table\b",
    re.IGNORECASE,
)
_IMPERATIVE: Final = re.compile(
    r"^(?:please |now |then |just |first,? )*(?:run|execute|restart|reboot|roll\s+\S+\s+back|roll back|revert"
    r"|delete|drop|kill|stop"
    r"|start|scale|set|apply|deploy|redeploy|disable|enable|open|visit|click|call|paste|install|remove|increase|raise"
    r"|lower|reduce|clear|flush|wipe|purge|truncate|add|change|switch|turn|block|ban|fire|notify|tell|send|page|drain"
    r"|evict|cordon|promote|fail\s?over|rotate|grant|export|reset|retry|undo|upgrade|downgrade|update)\b"
    r"\s+(?:the|all|every|a|an|this|that|it|its|to|off|on|over|down|up|back|[a-z_.-]+\s*=|[a-z0-9_-]+(?:\s+(?:to"
    r"|back|by|at|on|now|first|again|for|=)|[.!]?$))",
    re.IGNORECASE,
)
_BLAME: Final = re.compile(
    r"\bsabotag\w*|\bcareless\w*|\bnegligen\w*|\breckless\w*|\bincompeten\w*|\birresponsib\w*|\bsloppy\b|\blazy\b"
    r"|\bon purpose\b|\bdeliberate(?:ly)?\b|\bintentional(?:ly)?\b|\bmalicious\w*|\bhuman error\b|\bwithout (?:a "
    r"|any |code )?(?:review|testing|tests|approval|asking)\b"
    r"|\buntested\b|\bto blame\b|\bblam(?:e|es|ed|ing)\b|\bguilty\b|\bnight shift\b|\bshould (?:be fired|have"
    r" known|have tested)\b|\binsider\b|\bdid not (?:test|review|check)\b|\bforgot\b|\bfoolish\w*|\bcovered up\b",
    re.IGNORECASE,
)
_PERSON: Final = (
    r"developers?|engineers?|programmers?|operators?|admins?|administrators?|authors?|committers?|maintainers?"
    r"|colleagues?"
    r"|employees?|interns?|contractors?|somebody|someone|whoever|person|people|team|staff|manager|boss|he|she"
    r"|management"
)
_ACCUSED: Final = re.compile(
    rf"\b(?:{_PERSON})\b(?:\s+(?:of|in|at|from|on|who|that|which|\w+)){{0,4}}?\s+(?:has |have |had |was |were )?"
    r"(?:deployed|pushed|merged|broke|broken|ignored|skipped|failed|left|acted|caused|made|wanted|disabled"
    r"|deleted|removed|changed"
    r"|wrote|overlooked|missed|rushed|hid|lied|misconfigured|introduced|did|released|shipped|bypassed|approved"
    r"|careless|wrong|at fault|responsible)\b",
    re.IGNORECASE,
)
_CUSTOMERS: Final = re.compile(
    r"\b(?:customers?|clients? of ours|buyers?|shoppers?|visitors?|consumers?|guests|patients?|subscribers?"
    r"|end[- ]users?|users?"
    r"|the public|everybody|everyone)\b|\bpeople\b(?! in the thread)",
    re.IGNORECASE,
)
_MONEY: Final = re.compile(
    r"\b(?:revenue|sales|turnover|refunds?|chargebacks?|profit|money|dollars?|euros?|reputation|lawsuits?"
    r"|fines?)\b|[$€£]\s?\d",
    re.IGNORECASE,
)
_CHARGED: Final = re.compile(
    r"\b(?:charged|billed|debited) (?:twice|double|again|wrongly|too much|two times)|\bdouble[- ]charg", re.IGNORECASE
)
_SECURITY: Final = re.compile(
    r"\battack\w*|\bbreach\w*|\bhack(?:ed|er|ers|ing)?\b|\bintru(?:der|sion)\w*|\bmalware\b|\bransom\w*"
    r"|\bvulnerab\w*|\bexploit\w*"
    r"|\bcompromis\w*|\bunauthori[sz]ed\b|\bexfiltrat\w*|\bstolen\b|\bsteal\w*|\bstole\b|\bthe(?:ft|ives)\b"
    r"|\bphish\w*|\bddos\b|\bdenial of service\b|\bbotnet\b|\bspoof\w*|\btampered\b|\bbackdoor\b"
    r"|\b(?:card|personal|private|customer|user|sensitive|confidential)\s+(?:data|details|information|records"
    r"|numbers)\b"
    r"|\b(?:passwords?|credentials?|secrets?|tokens?|keys)\s+(?:\w+\s+){0,2}(?:leak\w*|expos\w*|stolen|visible"
    r"|public|lost)|\b(?:leak\w*|expos\w*)\s+(?:\w+\s+){0,3}(?:passwords?|credentials?|secrets?|tokens?|keys|data)\b"
    r"|\bdata leak\w*|\b(?:is|are|was|were) exposed\b|\bsql injection\b|\bfraud\w*",
    re.IGNORECASE,
)
_LOSS: Final = (
    r"lost|lose|loses|losing|gone|missing|deleted|erased|wiped|destroyed|corrupt(?:ed|s|ion)?|damaged|vanished"
    r"|disappeared|overwritten|"
    r"inconsistent|duplicated|truncated|dropped|garbled|purged|unrecoverable|irrecoverable|mixed up|scrambled"
)
_DATA: Final = (
    r"data|rows?|records?|orders?|charges?|payments?|stock|databases?|tables?|journals?|files?|messages?"
    r"|products?|sessions?"
    r"|baskets?|carts?|backups?|entries|entry|accounts?|transactions?|invoices?|receipts?|bookings?|purchases?"
    r"|listings?|documents?|history|inventory|events?|items?|refunds?|uploads?|images?|transfers?|bookings?|tickets?|mails?|e-?mails?|jobs?|reservations?|posts?|comments?|subscriptions?"
)
_LOST: Final = re.compile(
    rf"\b(?:{_DATA})\b(?:\s+(?:\w+|\d[\d:.,]*)){{0,6}}?\s+(?:is|are|was|were|has been|have been|got|get|gets|went"
    rf"|being|been)\s+(?:now |all |also |for good |permanently )?(?:{_LOSS})\b"
    rf"|\b(?:{_LOSS})\s+(?:(?:the|all|some|its|their|of|any|an?|\d[\d.,%]*|percent|many|\w+)\s+){{0,4}}?(?:{_DATA})\b"
    rf"|\b(?:{_DATA})\s+(?:loss|losses|corruption|damage|deletion)\b|\blost for good\b|\b(?:{_DATA})\s+(?:vanished"
    rf"|disappeared|vanish|disappear)\b|\b(?:corrupts?|corrupted|destroys?|deletes?|erases?|wipes?|loses?"
    rf"|lost)\s+(?:\w+\s+){{0,3}}(?:{_DATA})\b",
    re.IGNORECASE,
)
_OF_CLUSTERS: Final = re.compile(r"\bservice[ -]?accounts?\b|\bimage[ -]pull[ -]secrets?\b", re.IGNORECASE)
"""Objects of a cluster that are called like data: where one is missing, nothing of anybody is lost."""
_PLANNED: Final = re.compile(
    r"\b(?:diff|code|config|configuration|query|timeout|setting|limit|commit|change)\b", re.IGNORECASE
)


_PASSIVE: Final = re.compile(
    r"\b(?:is|are|was|were|been|got|get)\s+(?:now |all |also |permanently |irretrievably )?"
    r"(?:lost|gone|deleted|erased|wiped|destroyed|corrupt(?:ed)?|damaged|overwritten|unrecoverable)\b",
    re.IGNORECASE,
)


def never_shown(sentence: str, stated: Iterable[str] = (), *, advises: bool = False) -> str | None:
    """The kind for which a sentence is never shown, or None.

    `stated` are lines of cited results, without what outsiders wrote: what they say themselves may be said. Advice may
    be imperative, as long as it is no command.
    """
    text = plain(sentence).strip()
    words = stem_set(" ".join(plain(line) for line in stated))
    ordered = not advises and _IMPERATIVE.search(text.strip("\"'` ")) is not None
    harm = any((m := pattern.search(text)) and not _said(m[0], words) for pattern in (_CUSTOMERS, _MONEY, _CHARGED))
    named = _OF_CLUSTERS.sub("object", text)
    lost = _LOST.search(named) or _PASSIVE.search(named)
    kinds = (
        (_LINK.search(text) is not None, "a link"),
        (_SHELL.search(text) is not None or ordered, "a command"),
        (_BLAME.search(text) is not None or _ACCUSED.search(text) is not None, "the guilt of people"),
        (bool((m := _SECURITY.search(text)) and not _said(m[0], words)), "a security claim that no result states"),
        (harm, "harm to customers that no result states"),
        (
            bool(lost and not _said(lost[0], words) and not _about_code(text, lost[0])),
            "a loss of data that no result states",
        ),
    )
    return next((kind for holds, kind in kinds if holds), None)


def _said(part: str, words: frozenset[str]) -> bool:
    """Whether all telling words of a part stand in the lines."""
    telling = {w for w in stems(part) if w not in _FILLER}
    return bool(telling) and telling <= words


def _about_code(text: str, part: str) -> bool:
    """`The query has lost its LIMIT` speaks of code."""
    bare = re.search(r"\d", part) is None
    return (
        bare
        and _PLANNED.search(text) is not None
        and re.search(r"\b(?:lines?|entries)\b", part, re.IGNORECASE) is not None
    )


_FILLER: Final = frozenset(
    stem(w)
    for w in [
        "the",
        "a",
        "an",
        "all",
        "some",
        "its",
        "their",
        "of",
        "any",
        "is",
        "are",
        "was",
        "were",
        "has",
        "have",
        "been",
        "got",
        "now",
        "also",
        "for",
        "good",
        "percent",
    ]
)
