"""CloudWatch alarms by Amazon SNS, and the deployments that AWS tells of on the same way.

SNS signs fields of the body with a certificate whose address stands in the body too: only an address of SNS itself is
fetched or believed. Everybody with an AWS account can have SNS sign something, so the topic must be the one that an
admin named. INSUFFICIENT_DATA neither begins nor ends anything.
https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final
from urllib.parse import quote, urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from agents.webhooks.contract import Normalised, Provider, Refusal, ReportedChange, Status, Verified
from agents.webhooks.headers import Headers
from agents.webhooks.reading import at, first, items, mapping, moment, text
from agents.webhooks.unknown import digest

_HOST: Final = re.compile(r"sns\.[a-z]{2}(?:-[a-z]+){1,3}-\d{1,2}\.amazonaws\.com(?:\.cn)?")
_PEM: Final = re.compile(r"/[A-Za-z0-9._/-]{1,200}\.pem")
_FIELDS: Final[Mapping[str, Sequence[str]]] = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        "Message",
        "MessageId",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ),
    "UnsubscribeConfirmation": (
        "Message",
        "MessageId",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ),
}
_STATES: Final[Mapping[str, Status]] = {"ALARM": "firing", "OK": "resolved"}


class CloudWatchSnsProvider(Provider):
    name = "cloudwatch_sns"
    title = "CloudWatch by SNS"
    docs_url = "https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html"
    setup = "None is needed: SNS signs with its own certificate. Subscribe this address to the topic (HTTPS)."
    needs_secret = False
    settings: ClassVar = {"topic_arn": "the ARN of the topic that may send here, arn:aws:sns:REGION:ACCOUNT:NAME"}
    required = frozenset({"topic_arn"})

    def certificate_url(self, raw: bytes) -> str | None:
        found = text(at(_document(raw), "SigningCertURL"))
        return found if is_of_sns(found) and _PEM.fullmatch(urlsplit(found).path) else None

    def confirmation_url(self, body: Any) -> str | None:
        if text(at(body, "Type")) != "SubscriptionConfirmation":
            return None
        address = text(at(body, "SubscribeURL"))
        return address if is_of_sns(address) else None

    def verify(
        self,
        raw: bytes,
        headers: Headers,
        *,
        secrets: Sequence[str],
        now: float,
        config: Mapping[str, Any],
        certificates: Mapping[str, bytes],
    ) -> Verified | Refusal:
        del headers, secrets, now
        body = _document(raw)
        fields = _FIELDS.get(text(at(body, "Type")))
        if fields is None or not isinstance(body, Mapping):
            return Refusal("unreadable")
        signature = _decoded(at(body, "Signature"))
        if not signature:
            return Refusal("no_signature")
        address = self.certificate_url(raw)
        certificate = certificates.get(address) if address else None
        if certificate is None:
            return Refusal("untrusted_certificate")
        message = _signed_text(body, fields)
        if not _is_signed(message, signature, text(at(body, "SignatureVersion")), certificate):
            return Refusal("wrong_signature")
        wanted = text(config.get("topic_arn"))
        if wanted and text(at(body, "TopicArn")) != wanted:
            return Refusal("other_topic")
        return Verified(message)

    def read(self, body: Any, headers: Headers, config: Mapping[str, Any]) -> Normalised | None:
        del headers, config
        kind = text(at(body, "Type"))
        if kind in ("SubscriptionConfirmation", "UnsubscribeConfirmation"):
            return _confirmation(kind, body)
        if kind != "Notification":
            return _message(body, body)
        inner = _document(at(body, "Message"))
        return _message(inner, body) or _notice(body)


def is_of_sns(address: str) -> bool:
    """Whether it is an HTTPS address of SNS itself, without a port or a user in it."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return False
    plain = parts.scheme == "https" and port in (None, 443) and "@" not in parts.netloc and "\\" not in address
    return plain and _HOST.fullmatch(parts.hostname or "") is not None


def _document(raw: Any) -> Any:
    try:
        return json.loads(raw)
    except (TypeError, ValueError, RecursionError):
        return None


def _decoded(value: Any) -> bytes:
    try:
        return base64.b64decode(text(value), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _signed_text(body: Mapping[str, Any], fields: Sequence[str]) -> bytes:
    """Name and value, each on a line of its own. A subject that is absent is left out."""
    lines = [f"{name}\n{body[name]}\n" for name in fields if isinstance(body.get(name), str)]
    return "".join(lines).encode()


def _is_signed(message: bytes, signature: bytes, version: str, certificate: bytes) -> bool:
    algorithm = {"1": hashes.SHA1, "2": hashes.SHA256}.get(version)
    if algorithm is None:
        return False
    try:
        key = x509.load_pem_x509_certificate(certificate).public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            return False
        key.verify(signature, message, padding.PKCS1v15(), algorithm())
    except (InvalidSignature, ValueError):
        return False
    return True


def _confirmation(kind: str, body: Any) -> Normalised:
    topic = text(at(body, "TopicArn"))
    what = "asks to confirm the subscription" if kind == "SubscriptionConfirmation" else "ended the subscription"
    return Normalised(
        provider="cloudwatch_sns",
        event=kind,
        kind="other",
        title=f"SNS {what} of {topic.rpartition(':')[2]}",
        key=f"cloudwatch_sns:{kind}:{topic}",
        occurred_at=moment(at(body, "Timestamp")),
    )


def _message(inner: Any, outer: Any) -> Normalised | None:
    """What AWS writes itself: an alarm, or an event of EventBridge or a deployment."""
    if isinstance(inner, Mapping):
        if inner.get("AlarmName"):
            return _alarm(inner)
        if inner.get("detail-type"):
            return _event(inner)
        if inner.get("deploymentId") and inner.get("applicationName"):
            return _code_deploy(inner, outer)
    return None


def _alarm(alarm: Mapping[str, Any]) -> Normalised:
    name, arn, state = text(alarm.get("AlarmName")), text(alarm.get("AlarmArn")), text(alarm.get("NewStateValue"))
    trigger = mapping(alarm.get("Trigger"))
    named = {
        text(one.get("name")): text(one.get("value"))
        for one in items(trigger.get("Dimensions"))
        if text(one.get("name")) and text(one.get("value"))
    }
    facts = {
        "metric": text(trigger.get("MetricName")),
        "namespace": text(trigger.get("Namespace")),
        "account": text(alarm.get("AWSAccountId")),
    }
    return Normalised(
        provider="cloudwatch_sns",
        event=f"alarm {state}",
        kind="alert",
        status=_STATES.get(state, "info"),
        title=name,
        text=first(alarm.get("AlarmDescription"), alarm.get("NewStateReason")),
        service=named.get("ServiceName"),
        source_url=_console(arn),
        key=f"cloudwatch_sns:{arn or name}",
        occurred_at=moment(alarm.get("StateChangeTime")),
        labels={**named, **{fact: value for fact, value in facts.items() if value}},
    )


def _console(arn: str) -> str | None:
    """arn:aws:cloudwatch:REGION:ACCOUNT:alarm:NAME"""
    parts = arn.split(":", 6)
    if len(parts) != 7 or parts[1] != "aws" or not parts[3]:
        return None
    return (
        f"https://{parts[3]}.console.aws.amazon.com/cloudwatch/home?region={parts[3]}#alarmsV2:alarm/{quote(parts[6])}"
    )


def _event(event: Mapping[str, Any]) -> Normalised | None:
    """As EventBridge writes it."""
    what, detail, when = text(event.get("detail-type")), mapping(event.get("detail")), event.get("time")
    arn = first(at(event, "resources", 0))
    if what == "CloudWatch Alarm State Change":
        state = text(at(detail, "state", "value"))
        return _alarm(
            {
                "AlarmName": detail.get("alarmName"),
                "AlarmArn": arn,
                "NewStateValue": state,
                "NewStateReason": at(detail, "state", "reason"),
                "AlarmDescription": at(detail, "configuration", "description"),
                "StateChangeTime": first(at(detail, "state", "timestamp"), when),
                "AWSAccountId": event.get("account"),
            }
        )
    subject = first(
        detail.get("pipeline"), detail.get("application"), detail.get("service"), detail.get("deploymentId"), arn
    )
    state = first(detail.get("state"), detail.get("eventName"), detail.get("eventType"))
    deploys = text(event.get("source")) in ("aws.codepipeline", "aws.codedeploy", "aws.ecs") and "ask" not in what
    return Normalised(
        provider="cloudwatch_sns",
        event=what,
        kind="change" if deploys else "other",
        title=f"{what}: {subject} {state}".strip(),
        text=first(detail.get("reason"), detail.get("eventDescription")),
        key=f"cloudwatch_sns:{first(detail.get('execution-id'), detail.get('deploymentId'), event.get('id'), subject)}",
        occurred_at=moment(when),
        change=ReportedChange(kind="deployment", outcome=state, version=first(detail.get("deploymentId")))
        if deploys
        else None,
    )


def _code_deploy(told: Mapping[str, Any], outer: Any) -> Normalised:
    state, name = text(told.get("status")), text(told.get("applicationName"))
    group = text(told.get("deploymentGroupName"))
    return Normalised(
        provider="cloudwatch_sns",
        event=f"deployment {state}",
        kind="change",
        title=f"Deployment of {name} to {group} {state}".strip(),
        service=name or None,
        key=f"cloudwatch_sns:{text(told.get('deploymentId'))}",
        occurred_at=moment(told.get("completeTime"), told.get("createTime"), at(outer, "Timestamp")),
        change=ReportedChange(kind="deployment", outcome=state, version=text(told.get("deploymentId"))),
    )


def _notice(body: Any) -> Normalised:
    """Somebody's own text in a topic: kept and shown, nothing more."""
    title = first(at(body, "Subject"), at(body, "Message"), "Message without a text")
    return Normalised(
        provider="cloudwatch_sns",
        event="Notification",
        known=False,
        kind="other",
        title=title[:300],
        text=first(at(body, "Message")),
        key=f"cloudwatch_sns:{first(at(body, 'MessageId')) or digest(body)}",
        occurred_at=moment(at(body, "Timestamp")),
    )


PROVIDER = CloudWatchSnsProvider()
