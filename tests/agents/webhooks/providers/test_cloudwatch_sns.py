"""SNS: its signature, whose certificates are believed, and what AWS sends through it."""

import base64
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from agents.webhooks import Normalised, Refusal, Verified
from agents.webhooks.headers import Headers
from agents.webhooks.providers.cloudwatch_sns import PROVIDER, is_of_sns

TOPIC = "arn:aws:sns:eu-central-1:123456789012:alarms"
CERTIFICATE = "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-1.pem"


@cache
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def pem() -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key().public_key())
    builder = builder.serial_number(1).not_valid_before(start).not_valid_after(start + timedelta(days=3650))
    return builder.sign(key(), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def signed(**fields: str) -> dict[str, str]:
    body = {
        "Type": "Notification",
        "MessageId": "1",
        "TopicArn": TOPIC,
        "Message": "m",
        "Timestamp": "2026-05-01T10:00:00.000Z",
        **fields,
    }
    names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    if body["Type"] != "Notification":
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{body[name]}\n" for name in names if name in body)
    signature = key().sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return {
        **body,
        "SignatureVersion": "2",
        "Signature": base64.b64encode(signature).decode(),
        "SigningCertURL": CERTIFICATE,
    }


def judged(body: dict[str, str], url: str = CERTIFICATE, **config: Any) -> Verified | Refusal:
    raw = json.dumps(body).encode()
    return PROVIDER.verify(raw, Headers({}), secrets=[], now=0, config=config, certificates={url: pem()})


def test_a_message_of_the_topic_is_believed() -> None:
    assert isinstance(judged(signed(), topic_arn=TOPIC), Verified)
    assert isinstance(judged(signed(Subject="s"), topic_arn=TOPIC), Verified)
    assert judged(signed(TopicArn=TOPIC + "2"), topic_arn=TOPIC) == Refusal("other_topic")
    for changed in ({"Message": "n"}, {"SignatureVersion": "1"}, {"SignatureVersion": "3"}, {"Subject": "added"}):
        assert judged({**signed(), **changed}, topic_arn=TOPIC) == Refusal("wrong_signature")
    assert judged({**signed(), "Signature": ""}) == Refusal("no_signature")
    assert judged({**signed(), "Type": "Odd"}) == Refusal("unreadable")


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-central-1.amazonaws.com/a.pem",
        "https://sns.eu-central-1.amazonaws.com.evil.example/a.pem",
        "https://evil.example/sns.eu-central-1.amazonaws.com/a.pem",
        "https://sns.eu-central-1.amazonaws.com@evil.example/a.pem",
        "https://bucket.s3.amazonaws.com/a.pem",
        "https://sns.eu-central-1.amazonaws.com:8443/a.pem",
        "https://sns.eu-central-1.amazonaws.com/a.txt",
        "https://sns.eu-central-1.amazonaws.com\\@evil.example/a.pem",
        "https://[::1]/a.pem",
        "",
    ],
)
def test_a_certificate_from_elsewhere_is_neither_fetched_nor_believed(url: str) -> None:
    body = {**signed(), "SigningCertURL": url}
    assert PROVIDER.certificate_url(json.dumps(body).encode()) is None
    assert judged(body, url) == Refusal("untrusted_certificate")


def test_a_subscription_is_confirmed_at_sns_only() -> None:
    body = signed(
        Type="SubscriptionConfirmation", Token="t", SubscribeURL="https://sns.eu-central-1.amazonaws.com/?Action=C"
    )
    assert isinstance(judged(body, topic_arn=TOPIC), Verified)
    assert PROVIDER.confirmation_url(body) == body["SubscribeURL"]
    assert PROVIDER.confirmation_url({**body, "SubscribeURL": "https://evil.example/"}) is None
    assert PROVIDER.confirmation_url(signed()) is None
    assert PROVIDER.normalise(body, {}).kind == "other", "it is never an alert"
    assert is_of_sns("https://sns.cn-north-1.amazonaws.com.cn/x")


def alarm(state: str, **more: Any) -> Normalised:
    told = {
        "AlarmName": "cart-5xx",
        "AlarmArn": "arn:aws:cloudwatch:eu-central-1:1:alarm:cart-5xx",
        "NewStateValue": state,
        "StateChangeTime": "2026-05-01T10:00:00.000+0000",
        "Trigger": {"MetricName": "5xx", "Dimensions": [{"name": "ServiceName", "value": "cart"}]},
        **more,
    }
    return PROVIDER.normalise({"Type": "Notification", "Message": json.dumps(told), "MessageId": "1"}, {})


def test_an_alarm_and_its_three_states() -> None:
    assert [alarm(state).status for state in ("ALARM", "OK", "INSUFFICIENT_DATA")] == ["firing", "resolved", "info"]
    found = alarm("ALARM")
    assert (found.service, found.severity, found.kind) == ("cart", "unknown", "alert")
    assert found.source_url is not None
    assert found.source_url.startswith("https://eu-central-1.console.aws.amazon.com/")
    event = {
        "source": "aws.cloudwatch",
        "detail-type": "CloudWatch Alarm State Change",
        "resources": ["arn:aws:cloudwatch:eu-central-1:1:alarm:cart-5xx"],
        "detail": {"alarmName": "cart-5xx", "state": {"value": "OK", "timestamp": "2026-05-01T10:00:00.000+0000"}},
    }
    assert PROVIDER.normalise(event, {}).key == found.key


def test_deployments_are_changes_and_other_texts_are_kept() -> None:
    pipeline = {
        "source": "aws.codepipeline",
        "detail-type": "CodePipeline Pipeline Execution State Change",
        "detail": {"pipeline": "shop", "state": "FAILED", "execution-id": "e1"},
        "time": "2026-05-01T10:00:00Z",
    }
    found = PROVIDER.normalise({"Type": "Notification", "Message": json.dumps(pipeline)}, {})
    assert found.kind == "change"
    deploy = {"deploymentId": "d-1", "applicationName": "shop", "status": "SUCCEEDED", "deploymentGroupName": "prod"}
    assert PROVIDER.normalise({"Type": "Notification", "Message": json.dumps(deploy)}, {}).service == "shop"
    words = PROVIDER.normalise({"Type": "Notification", "Subject": "Backup", "Message": "done"}, {})
    assert (words.kind, words.known, words.title) == ("other", False, "Backup")
