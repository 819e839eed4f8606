"""Secrets that stand under a vendor's name and have no format of their own: `algolia key = ...`, `HEROKU: <uuid>`."""

import re
from collections.abc import Iterator
from typing import Final

from store.secrets.pairs import SecretRule, TextSpan, automaton, is_harmless_name, is_value, lowered

_VENDORS: Final = (
    "adafruit",
    "adobe",
    "airtable",
    "algolia",
    "alibaba",
    "asana",
    "atlassian",
    "beamer",
    "bitbucket",
    "bittrex",
    "circleci",
    "cloudflare",
    "codecov",
    "cohere",
    "coinbase",
    "confluence",
    "confluent",
    "contentful",
    "contribsys__com",
    "datadog",
    "discord",
    "droneci",
    "dropbox",
    "etsy",
    "facebook",
    "fastly",
    "finicity",
    "finnhub",
    "flickr",
    "freshbooks",
    "gitter",
    "gocardless",
    "heroku",
    "hubspot",
    "instagram",
    "intercom",
    "jfrog",
    "artifactory",
    "kraken",
    "kucoin",
    "launchdarkly",
    "linkedin",
    "looker",
    "mailchimp",
    "mailgun",
    "mapbox",
    "mattermost",
    "meraki",
    "messagebird",
    "message_bird",
    "message-bird",
    "netlify",
    "newrelic",
    "new_relic",
    "new-relic",
    "newyorktimes",
    "new-york-times",
    "nytimes",
    "okta",
    "opsgenie",
    "pagerduty",
    "plaid",
    "privateai",
    "private_ai",
    "private-ai",
    "rapidapi",
    "sendbird",
    "sentry",
    "snyk",
    "sonar",
    "sourcegraph",
    "squarespace",
    "sumo",
    "telegram",
    "travis",
    "trello",
    "twilio",
    "twitch",
    "twitter",
    "typeform",
    "yandex",
    "zendesk",
)
_NAMES: Final = automaton(_VENDORS)
_VALUE: Final = re.compile(
    r"(?P<rest>[ \t\w.-]{0,20}),?[\s'\"]{0,3}(?:=|>|:{1,3}=|\|\||:|=>|\?=|,)[\x60'\"\s=:>]{0,5}"
    r"(?P<value>(?i:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{8}:[0-9a-f]{8})|[A-Za-z0-9_/+%-]{15,150}={0,2})"
    r"(?:[\x60'\"\s;,}&<]|\\[nr]|$)"
)
_NOUN: Final = re.compile(r"(?i)key|secret|token")


def _under_vendors(text: str) -> Iterator[TextSpan]:
    for last, _ in _NAMES.iter(lowered(text)):
        found = _VALUE.match(text, last + 1)
        if found is None or is_harmless_name(found.group("rest")) or not is_value(found.group("value")):
            continue
        digits = sum(char.isdigit() for char in found.group("value"))
        if digits >= 2 and (digits < len(found.group("value")) or _NOUN.search(found.group("rest"))):
            yield TextSpan(found.start("value"), found.end("value"), "vendor_secret")


RULES = (SecretRule(rf"(?i){'|'.join(_VENDORS)}", _under_vendors),)
