"""What changed: deployments that ECS still shows, and what CloudTrail recorded of declared services.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/view-cloudtrail-events.html -- management events of 90 days,
some minutes late, 50 at a time and two questions a second: the newest pages are read, and what is left is said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any, Final, Literal

from agents.connecting.connector import ChangesRead, ConnectorContext
from agents.connecting.connectors.aws.ecs import EcsReader, revision_of, utc
from agents.connecting.connectors.aws.session import AwsSession
from agents.connecting.foreign_json import read_json
from agents.errors import AgentError
from agents.evidence.types import Change, Window

_PAGES: Final = 5
_PAUSE_S: Final = 0.5
_LONGEST: Final = 300
_DEPLOYS: Final = re.compile(
    r"^(UpdateService|CreateService|UpdateFunctionCode|CreateDeployment|PublishVersion|UpdateAlias)"
)
_CONFIGURES: Final = re.compile(
    r"^(Put|Modify|Update|Create|Delete|Set|Add|Remove|Register|Attach|Detach|Authorize|Revoke)"
)
_QUIET: Final = re.compile(r"^(CreateLogStream|PutMetricData|UpdateInstanceInformation|CreateNetworkInterface)")


class AwsChanges:
    """Of one connection."""

    def __init__(self, session: AwsSession, context: ConnectorContext, ecs: EcsReader, *, region: str) -> None:
        self._session, self._context, self._ecs, self._region = session, context, ecs, region

    async def read(self, window: Window, services: Sequence[str]) -> ChangesRead:
        """Oldest first. Raises an AgentError when nothing could be read."""
        found: list[Change] = []
        gaps: list[str] = []
        failures: list[AgentError] = []
        for what, reading in (("deployments of ECS", self._deployments), ("CloudTrail", self._recorded)):
            try:
                found += await reading(window, services, gaps)
            except AgentError as exc:
                failures.append(exc)
                gaps.append(f"AWS: {what} could not be read: {exc}")
        if len(failures) == 2:
            raise failures[0]
        deployed = {(one.service, one.version) for one in found if not one.id.startswith("trail-")}
        once = [one for one in found if not (one.id.startswith("trail-") and (one.service, one.version) in deployed)]
        return ChangesRead(changes=sorted(once, key=lambda one: one.at), gaps=tuple(dict.fromkeys(gaps)))

    async def _deployments(self, window: Window, services: Sequence[str], gaps: list[str]) -> list[Change]:
        found = []
        for one in await self._ecs.services(gaps):
            if one.service not in services:
                continue
            newest_first = one.deployments
            for place, deployment in enumerate(newest_first):
                at = utc(deployment["createdAt"])
                version = revision_of(str(deployment.get("taskDefinition", "")))
                before = [revision_of(str(d.get("taskDefinition", ""))) for d in newest_first[place + 1 :]]
                if not window.start <= at <= window.end or not version:
                    continue
                state, reason = deployment.get("rolloutState", ""), deployment.get("rolloutStateReason", "")
                said = f"ECS deploys {version}: {state} {reason}".strip(": ")
                found.append(
                    Change(
                        id=f"{one.service}@{version}",
                        service=one.service,
                        at=at,
                        kind="deployment",
                        version=version,
                        previous_version=next((v for v in before if v != version), _before(version)),
                        summary=(await self._context.clean_words([said]))[0][:_LONGEST],
                        link=self._page(one.cluster, one.name),
                    )
                )
        return found

    async def _recorded(self, window: Window, services: Sequence[str], gaps: list[str]) -> list[Change]:
        """What was changed and not only asked, by whomever, of these services."""
        found: list[Change] = []
        following: dict[str, str] = {}
        for page in range(_PAGES):
            if page:
                await self._context.outbound.pause(_PAUSE_S)
            answer = await self._session.call(
                "cloudtrail",
                "lookup_events",
                what="CloudTrail",
                LookupAttributes=[{"AttributeKey": "ReadOnly", "AttributeValue": "false"}],
                StartTime=window.start,
                EndTime=window.end,
                MaxResults=50,
                **following,
            )
            for event in answer.get("Events") or ():
                change = await self._change(event)
                if change is not None and change.service in services:
                    found.append(change)
            if not answer.get("NextToken"):
                return found
            following = {"NextToken": answer["NextToken"]}
        gaps.append(f"AWS: only the newest {_PAGES * 50} events of CloudTrail were read")
        return found

    async def _change(self, event: Mapping[str, Any]) -> Change | None:
        """None for what failed, what is no change, and what names no declared service."""
        name, at = str(event.get("EventName", "")), event.get("EventTime")
        if at is None or _QUIET.match(name) or not (_DEPLOYS.match(name) or _CONFIGURES.match(name)):
            return None
        told = _record(event.get("CloudTrailEvent"))
        if told.get("errorCode"):
            return None
        asked = told.get("requestParameters") or {}
        service = self._service(event, asked)
        if not service:
            return None
        kind: Literal["deployment", "config"] = "deployment" if _DEPLOYS.match(name) else "config"
        version = revision_of(str(asked.get("taskDefinition") or "")) or None
        source = str(event.get("EventSource", "")).removesuffix(".amazonaws.com")
        if kind == "deployment" and name == "UpdateService" and version is None:
            kind = "config"  # scaled, or forced anew
        words = [f"{source} {name} {_brief(asked)}", str(event.get("Username") or ""), version or ""]
        said, who, version_said = await self._context.clean_words(words)
        return Change(
            id=f"trail-{event.get('EventId')}",
            service=service,
            at=at.astimezone(UTC),
            kind=kind,
            version=version_said or None,
            previous_version=_before(version_said) if version_said else None,
            summary=said[:_LONGEST].strip(),
            author=who[:100],
            link=f"https://{self._region}.console.aws.amazon.com/cloudtrailv2/home?region={self._region}"
            f"#/events/{event.get('EventId')}",
        )

    def _service(self, event: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
        names = [str(one.get("ResourceName", "")) for one in event.get("Resources") or ()]
        names += [str(value) for value in asked.values() if isinstance(value, str)]
        for name in names:
            parts = [name, *re.split(r"[/:]", name)]
            if service := next((s for part in parts if (s := self._ecs.service_of(part))), ""):
                return service
        return ""

    def _page(self, cluster: str, name: str) -> str:
        return f"https://{self._region}.console.aws.amazon.com/ecs/v2/clusters/{cluster}/services/{name}/deployments"


def _before(version: str) -> str | None:
    """The revision with the number before, which is what ran in nearly every case."""
    family, _, number = version.rpartition(":")
    return f"{family}:{int(number) - 1}" if family and number.isdecimal() and int(number) > 1 else None


def _record(text: Any) -> Mapping[str, Any]:
    try:
        found = read_json(text) if isinstance(text, str) else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _brief(asked: Mapping[str, Any]) -> str:
    """Its plain parameters, few of them."""
    plain = [f"{key}={value}" for key, value in asked.items() if isinstance(value, str | int | float | bool)]
    return " ".join(plain[:6])
