"""How the first part of a text line is laid out around its time: what programs print before it, and what containers,
collectors and syslog put in front of a program's own line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from agents.evidence.logs.lines.times import ACCESS, SPELLINGS, Spelling

# Before the time: brackets or quotation marks; a level, with a thread in brackets; a letter; at most two words, such as
# a type, a host or a request's id.
_BEFORE = (
    r"\s{0,8}(?P<before>(?:[^\s\"{}]{1,80}\s+){0,2}?)"
    r"(?P<open>[\[(<{#\"'=]{0,5})(?:(?P<letter>[A-Z])[ ,])?(?P<attached>[VDIWEFCT](?=\d{4})|(?:[A-Z]{4}\[))?"
)
_AFTER = r"(?P<close>[\])>}\"',:;|]{0,4})"
# Where the time stands elsewhere: after a client and a user, or a worker's state, in brackets; or alone at the start.
_NOTHING = r"(?P<letter>(?!))?(?P<attached>(?!))?"
_IN_BRACKETS = rf"(?P<before>[^\[]{{0,300}})(?P<open>\[){_NOTHING}"
_OTHERS = {
    ACCESS: _IN_BRACKETS,
    "time of day only": rf"(?P<before>)(?P<open>\[?){_NOTHING}",
}
_WORKER = r"(?:\[pid: [^{]{0,100}\{[^}]{0,60}\} )?"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A spelling of the time, and the whole head of a line with it."""

    spelling: Spelling
    head: re.Pattern[str]


def _layout(spelling: Spelling) -> Layout:
    return Layout(
        spelling=spelling, head=re.compile(_OTHERS.get(spelling.name, _WORKER + _BEFORE) + spelling.pattern + _AFTER)
    )


LAYOUTS: tuple[Layout, ...] = tuple(_layout(spelling) for spelling in SPELLINGS)

# What stands in front of another line. The rest is a line of its own, and read as one.
_ISO = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:[.,]\d{1,9})?(?:Z|[+-]\d{2}:?\d{2})"
_TAG = r"(?P<program>[\w./@:-]{1,80}?)(?:\[(?P<pid>[\w.-]{1,40})\])?: ?"
COMPOSE = re.compile(r"(?P<source>[A-Za-z][\w.-]{0,80}) +\| (?P<rest>.*)", re.DOTALL)
KUBECTL = re.compile(r"\[(?P<source>pod/[^\]\s]{1,200})\] (?P<rest>.*)", re.DOTALL)
CRI = re.compile(rf"(?P<time>{_ISO}) (?P<stream>stdout|stderr) (?P<flag>[FP])(?: (?P<rest>.*)|$)", re.DOTALL)
SYSLOG_5424 = re.compile(
    r"<(?P<priority>\d{1,3})>1 (?P<time>\S+) (?P<host>\S+) (?P<program>\S+) (?P<pid>\S+) (?P<message_id>\S+) "
    r"(?P<data>-|(?:\[(?:[^\]\\]|\\.)*\])+)(?: (?:\ufeff)?(?P<rest>.*)|$)",
    re.DOTALL,
)
SYSLOG_PRIORITY = re.compile(r"<(?P<priority>\d{1,3})>(?P<rest>.*)", re.DOTALL)
SYSLOG_TAG = re.compile(rf" (?P<host>[\w.:-]{{1,100}}) {_TAG}(?P<rest>.*)", re.DOTALL)
# Behind a full date the same needs a process id, or any two words would be a host and a program.
PROCESS_TAG = re.compile(
    r" (?:(?P<host>[\w.:-]{1,100}) )?(?P<program>[\w./@-]{1,80})\[(?P<pid>[\w.-]{1,40})\]: ?(?P<rest>.*)", re.DOTALL
)
FLUENTD = re.compile(rf"(?P<time>{_ISO})\t(?P<source>[\w.-]{{1,100}})\t(?P<rest>\{{.*)", re.DOTALL)


def named(found: re.Match[str], *names: str) -> Mapping[str, str]:
    """The groups of these names that say something."""
    return {name: found[name] for name in names if found[name] not in (None, "", "-")}
