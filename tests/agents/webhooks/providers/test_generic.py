"""Any JSON, with and without a mapping."""

import hashlib
import hmac
from typing import Any

from agents.webhooks import Refusal, Verified
from agents.webhooks.headers import Headers
from agents.webhooks.providers.generic import PROVIDER


def test_without_a_mapping_the_usual_names_are_read() -> None:
    body = {
        "alert": {"title": "Slow", "state": "ok", "severity": "P2", "service": "cart", "id": 5, "tags": ["env:prod"]}
    }
    found = PROVIDER.normalise(body, {})
    assert (found.kind, found.status, found.severity, found.service) == ("alert", "resolved", "high", "cart")
    assert (found.environment, found.key) == ("prod", "generic:5")
    said = [PROVIDER.normalise({"title": f"[{word}] Slow"}, {}) for word in ("FIRING:1", "RESOLVED")]
    assert [one.status for one in said] == ["firing", "resolved"]
    assert said[0].key == said[1].key


def test_a_mapping_says_where_and_translates() -> None:
    config = {
        "map.title": "x.0.what",
        "map.severity": "x.0.how",
        "map.severity_words": "gelb:warning, rot:critical",
        "map.status": "$.phase",
        "map.status_words": "weg:resolved",
        "map.key": "x.0.nr",
    }
    found = PROVIDER.normalise({"phase": "weg", "x": [{"what": "Platte voll", "how": "rot", "nr": 12}]}, {}, config)
    assert (found.title, found.status, found.severity, found.key) == (
        "Platte voll",
        "resolved",
        "critical",
        "generic:12",
    )
    assert not PROVIDER.normalise({"title": "elsewhere"}, {}, config).known


def test_a_home_grown_deployment_is_a_change() -> None:
    body = {"title": "shop 2.1 to prod", "version": "2.1", "service": "shop", "user": {"name": "mia"}}
    found = PROVIDER.normalise(body, {}, {"change": "deployment"})
    assert found.kind == "change"
    assert found.change is not None
    assert (found.change.version, found.change.author, found.service) == ("2.1", "mia", "shop")


def test_three_ways_to_show_the_secret() -> None:
    def judged(headers: dict[str, str], **config: Any) -> object:
        return PROVIDER.verify(b"{}", Headers(headers), secrets=["s"], now=0, config=config, certificates={})

    assert judged({"Authorization": "Bearer s"}) == Verified(None)
    assert judged({"X-Key": "s"}, header="X-Key") == Verified(None)
    digest = hmac.new(b"s", b"{}", hashlib.sha256).hexdigest()
    assert judged({"X-Sig": f"sha256={digest}"}, signature_header="X-Sig") == Verified(b"{}")
    assert judged({"Authorization": "Bearer s"}, signature_header="X-Sig") == Refusal("no_signature")
