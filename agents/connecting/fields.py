"""What a connector asks of people, as data: the Slack form, the API and the command line are drawn from the same
declaration, and read what comes back by the same rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import BaseModel, ValidationError

from agents.errors import BadArguments
from store.secrets.redaction import Secret

Kind = Literal["text", "lines", "pairs"]
_PAIR: Final = re.compile(r"\s*([^=\s]+)\s*=\s*(.*\S)\s*")
_KEY_BLOCK: Final = re.compile(r"(-----BEGIN [A-Z ]+-----)(.*?)(-----END [A-Z ]+-----)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Field:
    """One thing to fill in. `help` says where to find it at the vendor.

    `kind` is how several values are written: `lines` one a line or with commas, `pairs` as `name = value` lines.
    `credential` is kept with the secrets' connection but is none, as a user name; `secret` is never shown again.
    """

    name: str
    label: str
    help: str
    example: str = ""
    required: bool = False
    secret: bool = False
    credential: bool = False
    long: bool = False
    kind: Kind = "text"
    pattern: str | None = None

    @property
    def is_credential(self) -> bool:
        return self.secret or self.credential


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to prove who asks, for example a token: all of its fields, or none."""

    title: str
    fields: tuple[str, ...]


HTTP_LOGIN: Final = (
    Field(name="token", label="Bearer token", help="Only where it, or a proxy before it, asks for one.", secret=True),
    Field(name="username", label="User name", help="Only where it asks for one.", credential=True),
    Field(name="password", label="Password", help="Of that user.", secret=True),
)
"""How servers that need no login by themselves are protected, with `HTTP_LOGIN_WAYS`."""
HTTP_LOGIN_WAYS: Final = (
    Way(title="Bearer token", fields=("token",)),
    Way(title="User name and password", fields=("username", "password")),
)


_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,100}")
_SECRET_HEADERS: Final = ("authorization", "cookie", "proxy-authorization", "x-api-key")


def plain_labels(names: Iterable[str]) -> None:
    """Raises ValueError for what is no name of a label, as Prometheus and those beside it have them."""
    for name in names:
        if not _LABEL.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a label")


def plain_headers(headers: Mapping[str, str]) -> None:
    """Raises ValueError for a header that cannot be sent, or that would hold a secret among the settings."""
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or not value.isprintable() or not value.isascii():
            raise ValueError(f"{name!r} is not a header that can be sent")
        if name.lower() in _SECRET_HEADERS:
            raise ValueError(f"{name} holds a secret: use the credential fields token, or username and password")


@dataclass(frozen=True, kw_only=True)
class Scope:
    """A right that the credential needs, and what is lost without it. `name` is a word: it is stored with consents."""

    name: str
    without: str

    def __post_init__(self) -> None:
        """Raises TypeError for a name that could not be stored."""
        if not re.fullmatch(r"[!-~]{1,255}", self.name):
            raise TypeError(f"the name of a right has no spaces: {self.name!r}")


@dataclass(frozen=True, kw_only=True)
class Form:
    """All that a connector asks. Of `ways` exactly one is filled in, or none where `open` ones are usual."""

    fields: tuple[Field, ...] = ()
    ways: tuple[Way, ...] = ()
    open: bool = False

    def __post_init__(self) -> None:
        """Raises TypeError for a way that names no field, or a secret that belongs to none."""
        known = {one.name for one in self.fields}
        named = {name for way in self.ways for name in way.fields}
        loose = {one.name for one in self.fields if one.is_credential} - named
        if named - known or loose:
            raise TypeError(f"a form's ways and credentials must name each other: {sorted(named - known | loose)}")

    @property
    def credential_fields(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.fields if one.is_credential)

    def field(self, name: str) -> Field | None:
        return next((one for one in self.fields if one.name == name), None)


class FormError(BadArguments):
    """What was filled in cannot be used. `problems` says of each field what to do, by its name ("" for all of it)."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = dict(problems)


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A form that was read. `credentials` are the secrets; `config` is everything else."""

    config: Mapping[str, Any]
    credentials: Mapping[str, Secret]
    way: Way | None = None


def read_form(form: Form, model: type[BaseModel], values: Mapping[str, str], secrets: Mapping[str, Secret]) -> Filled:
    """What people typed, as settings and secrets. Raises FormError with a sentence for each field that must change.

    What was left empty is not set. A secret that arrives among the `values`, as the API sends it, is one all the same.
    """
    given = {name: value.strip() for name, value in values.items() if value.strip()}
    given |= {name: secret.reveal().strip() for name, secret in secrets.items() if secret.reveal().strip()}
    problems = {name: f"{name} is not asked for here." for name in given if form.field(name) is None}
    config: dict[str, Any] = {}
    kept: dict[str, Secret] = {}
    for one in form.fields:
        value = given.get(one.name, "")
        if not value:
            if one.required:
                problems[one.name] = f"{one.label} is missing{_such_as(one)}."
        elif one.pattern is not None and not re.fullmatch(one.pattern, value, re.DOTALL):
            problems[one.name] = f"{one.label} does not look right{_such_as(one)}."
        elif one.secret:
            kept[one.name] = Secret(_whole_key(value))
        else:
            try:
                config[one.name] = _typed(one, value)
            except ValueError as exc:
                problems[one.name] = str(exc)
    way = _way(form, given, problems)
    if not problems:
        problems |= _refused(form, model, config)
    if problems:
        raise FormError(problems)
    return Filled(config=config, credentials=kept, way=way)


def split(form: Form, config: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Secret]]:
    """Stored settings as the model takes them, and those of them that belong to the credentials."""
    names = form.credential_fields
    settings = {name: value for name, value in config.items() if name not in names}
    return settings, {name: Secret(str(config[name])) for name in names if name in config}


def _typed(one: Field, value: str) -> Any:
    if one.kind == "lines":
        return [part.strip() for part in re.split(r"[\n,]", value) if part.strip()]
    if one.kind == "pairs":
        pairs: dict[str, str] = {}
        for line in filter(str.strip, value.splitlines()):
            found = _PAIR.fullmatch(line)
            if found is None:
                raise ValueError(f"{one.label}: write one `name = value` a line{_such_as(one)}.")
            if found[1] in pairs:
                raise ValueError(f"{one.label}: {found[1]} stands there twice.")
            pairs[found[1]] = found[2]
        return pairs
    return value


def _way(form: Form, given: Mapping[str, str], problems: dict[str, str]) -> Way | None:
    """The one way that is filled in; what is wrong with them goes into `problems`."""
    begun = [way for way in form.ways if any(name in given for name in way.fields)]
    whole = [way for way in begun if all(name in given for name in way.fields)]
    titles = " or ".join(way.title for way in form.ways)
    if not begun:
        if form.ways and not form.open:
            problems[""] = f"A credential is missing: fill in {titles}."
        return None
    if len(begun) > 1 and not (len(whole) == 1 and set(begun[0].fields) & set(begun[1].fields)):
        problems[""] = f"Fill in only one of {titles}."
        return None
    if not whole:
        labels = {one.name: one.label for one in form.fields}
        missing = ", ".join(labels[name] for name in begun[0].fields if name not in given)
        problems[""] = f"{begun[0].title} also needs {missing}."
        return None
    return whole[0]


def _refused(form: Form, model: type[BaseModel], config: Mapping[str, Any]) -> dict[str, str]:
    settings, _ = split(form, config)
    try:
        model.model_validate(settings)
    except ValidationError as exc:
        problems = {}
        for error in exc.errors(include_input=False, include_url=False):
            name = str(error["loc"][0]) if error["loc"] else ""
            one = form.field(name)
            label = one.label if one else name or "The settings"
            problems[name] = f"{label}: {error['msg'].removeprefix('Value error, ')}{_such_as(one) if one else ''}."
        return problems
    return {}


def _such_as(one: Field) -> str:
    return f", such as {one.example.splitlines()[0]}" if one.example and not one.secret else ""


def _whole_key(value: str) -> str:
    r"""A key block as it is meant, where a form of one line made blanks or the letters `\\n` of its line ends."""
    found = _KEY_BLOCK.search(value)
    if found is None:
        return value
    body = "\n".join(found[2].replace("\\n", "\n").split())
    return f"{found[1]}\n{body}\n{found[3]}\n"
