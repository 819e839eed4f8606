"""Passwords on command lines, where a short flag or a place carries them, and in Oracle's `user/password@database`.

Long flags such as `--password` are pairs like any other. Each entry is a program's documented way to be given a
password; the programs are those that operators run and logs repeat.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import re2

from store.secrets.pairs import SecretRule, TextSpan, is_value, looks_random

_WORD: Final = r"(?:\"(?P<double>[^\"\n]{1,200})\"|'(?P<single>[^'\n]{1,200})'|(?P<bare>[^\s\"'|;&<>]+))"
_FORMS: Final = (
    (r"mysql(?:dump|admin|import|check|show|pump|slap|binlog|sh)?|mariadb(?:-\w+)?|mycli|xtrabackup|mydumper", r"\s-p"),
    (r"7z[arz]?|rar|unrar", r"\s-p"),
    (r"sshpass", r"\s-p ?"),
    (r"(?:docker|podman|buildah|skopeo|helm registry|oras|az|oc|cf|ibmcloud|argocd|crane auth) login", r"\s-p[ =]"),
    (r"mongo(?:sh|dump|restore|export|import|stat|top)?|cqlsh|beeline|psexec(?:\.exe)?|winexe|rdesktop", r"\s-p[ =]"),
    (r"evil-winrm|ncftp\w*|ftp\.exe", r"\s-p[ =]"),
    (r"sqlcmd|isql|osql|bcp|tsql|ipmitool", r"\s-P ?"),
    (r"unzip|zip|zipcloak", r"\s-P ?"),
    (r"ssh-keygen", r"\s-[NP] ?"),
    (r"net(?:\.exe)? use", r"\s(?:[A-Za-z*]:?\s+)?\\\\\S+\s+(?!/)"),
    (r"(?:redis|keydb|valkey)-cli", r"\s(?:-a|--pass) "),
    (r"ldap(?:search|modify|add|delete|passwd|whoami|compare|modrdn)", r"\s-[ws] "),
    (r"openssl", r"\s-(?:passin|passout|pass|k|K) (?:pass:)?(?!env:|file:|fd:|stdin)"),
    (
        r"keytool|jarsigner|apksigner",
        r"\s--?(?:\w*store|\w*key|ks-|key-)?pass(?:wd|word)?[ =:](?:pass:)?(?!env:|file:)",
    ),
    (r"snmp(?:walk|get|getnext|set|bulkwalk|bulkget|table|trap|status)", r"\s-[cAX] "),
    (r"[xw]freerdp3?|mstsc", r"\s/p:"),
    (r"kubectl|oc", r"\s--from-literal[= ][\"']?[\w.-]+="),
    (r"smbclient|rpcclient|smbmap|mount\.cifs|nmblookup", r"\s(?:-U|--user)[ =]?[\"']?[\w.\\/@-]+%"),
    (r"lftp|ncftp\w*", r"\s-u [\"']?[\w.@-]+,"),
    (r"htpasswd", r"\s-[a-zA-Z]*b[a-zA-Z]*\s+(?:-\S+\s+)*\S+\s+\S+\s+"),
    (r"rabbitmqctl", r"\s(?:add_user|change_password|authenticate_user)\s+\S+\s+"),
    (r"net(?:\.exe)? user", r"\s[\w.-]+\s+(?!/)"),
    (r"vault login", r"\s(?!-)(?:token=)?"),
    (r"mc (?:alias set|config host add)", r"\s\S+\s+\S+\s+\S+\s+"),
    (
        r"echo|printf",
        r"\s(?=[\"']?[^\s|\"']{4,80}[\"']?\s*\|\s*(?:sudo )?(?:passwd --stdin|(?:docker|podman) login|kinit|sudo -S))",
    ),
    (r"echo|printf", r"\s[\"']?[\w.-]+:(?=[^\s|]{1,80}\s*\|\s*(?:sudo )?chpasswd)"),
)
_LONGEST: Final = 400
_START: Final = re2.compile(rf"(?:^|[^\w.-])(?P<program>{'|'.join(programs for programs, _ in _FORMS)})\s")
_USER: Final = r"[A-Za-z][\w$#.-]{0,60}/"
_ORACLE: Final = re.compile(
    rf"(?i)(?:\bjdbc:oracle:(?:thin|oci8?):|\boci:|\b(?P<certain>sqlplus|sqlcl|expdp|impdp|sqlldr|rman target)"
    rf"(?:\s+-\w+)*\s+[\"']?(?:userid=)?|\buserid=|\b(?:exp|imp|connect|conn)\s+[\"']?){_USER}"
    r"(?:\\?\"(?P<double>[^\"\n]{1,100})\"|(?P<bare>[^\s@\"'/]{2,100}))(?P<at>@)?"
)


@lru_cache(256)
def _forms_of(program: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(before + _WORD) for programs, before in _FORMS if re.fullmatch(programs, program))


def _on_command_lines(text: str) -> Iterator[TextSpan]:
    for begin in _START.finditer(text):
        at = begin.end() - 1
        line_end = text.find("\n", at, at + _LONGEST)
        arguments = text[at : line_end if line_end >= 0 else at + _LONGEST]
        for form in _forms_of(begin.group("program")):
            for found in form.finditer(arguments):
                part = next(name for name in ("double", "single", "bare") if found[name] is not None)
                if is_value(found[part]) and not found[part].startswith("-"):
                    yield TextSpan(at + found.start(part), at + found.end(part), "password")


def _oracle(text: str) -> Iterator[TextSpan]:
    for found in _ORACLE.finditer(text):
        part = "bare" if found["double"] is None else "double"
        if (found["at"] or found["certain"]) and is_value(found[part]):
            yield TextSpan(*found.span(part), "password")


_AUTH: Final = re.compile(r"\bAUTH(?: (?:PLAIN|LOGIN|[a-z][\w.-]{1,40}))? (?P<value>[^\s\"']{6,200})")


def _auth(text: str) -> Iterator[TextSpan]:
    """The command of Redis and of SMTP."""
    for found in _AUTH.finditer(text):
        if looks_random(found["value"], least=8):
            yield TextSpan(*found.span("value"), "password")


RULES: Final = (
    SecretRule(r"\bAUTH ", _auth),
    SecretRule(_START.pattern, _on_command_lines, _LONGEST),
    SecretRule(
        r"(?i)jdbc:oracle:|\boci:|\buserid=|\b(?:sqlplus|sqlcl|expdp|impdp|exp|imp|sqlldr|rman target|connect|"
        r"conn)\s[^\n/]{0,8}",
        _oracle,
    ),
)
