"""Messaging, monitoring and other services."""

FORMATS: dict[str, tuple[str, ...]] = {
    "slack_token": (
        r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{8,}",
        r"xapp-[0-9]-[A-Za-z0-9-]{10,}",
        r"xwfp-[A-Za-z0-9-]{10,}",
    ),
    "webhook_url": (
        r"(?:https?://)?hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers|actions|commands)/[A-Za-z0-9_+/-]{10,}",
        r"https?://(?:[a-z]+\.)?discord(?:app)?\.com/api/webhooks/[0-9]{15,20}/[A-Za-z0-9_-]{40,}",
        r"https?://[a-z0-9.-]+\.webhook\.office\.com/webhookb2/[A-Za-z0-9@/_-]{20,}",
        r"https?://hooks\.zapier\.com/hooks/catch/[0-9]+/[A-Za-z0-9]+",
        r"https?://chat\.googleapis\.com/v1/spaces/[A-Za-z0-9_-]+/messages\?[A-Za-z0-9=&%_-]{20,}",
    ),
    "sendgrid_key": (
        r"\bSG\.[A-Za-z0-9_=-]{16,}[.A-Za-z0-9_=-]{20,}",
        r"\bSG\.[.A-Za-z0-9_=-]{60,}",
    ),
    "twilio_key": (r"\b(?:SK|AC)[0-9a-fA-F]{32}\b",),
    "datadog_key": (r"\bdd[ap]p?_[A-Za-z0-9]{34,40}\b",),
    "pagerduty_key": (
        r"\bu\+[A-Za-z0-9_-]{18}\b",
        r"\bpdus\+[A-Za-z0-9_+-]{20,}",
    ),
    "grafana_token": (
        r"glc_[A-Za-z0-9+/_-]{20,}={0,3}",
        r"glsa_[A-Za-z0-9]{32}_[0-9a-fA-F]{8}",
        r"\beyJrIjoi[A-Za-z0-9+/_-]{40,}={0,2}",
    ),
    "sentry_token": (r"sntry[su]_[A-Za-z0-9+/=_-]{20,}",),
    "newrelic_key": (
        r"NRAK-[A-Za-z0-9]{20,}",
        r"NRI[IQ]-[A-Za-z0-9_-]{20,}",
        r"NRJS-[0-9a-f]{19}",
        r"NRRA-[0-9a-f]{36,}",
    ),
    "mailgun_key": (
        r"\b(?:pub)?key-[0-9a-f]{32}\b",
        r"\b[0-9a-h]{32}-[0-9a-h]{8}-[0-9a-h]{8}\b",
    ),
    "mailchimp_key": (r"\b[0-9a-f]{32}-us[0-9]{1,2}\b",),
    "telegram_token": (r"(?:\b|bot)[0-9]{5,16}:A[A-Za-z0-9_-]{33,35}\b",),
    "notion_token": (
        r"\bntn_[A-Za-z0-9]{40,}",
        r"\bsecret_[A-Za-z0-9]{43}\b",
    ),
    "figma_token": (r"fig[dou]r?_[A-Za-z0-9_-]{36,}",),
    "facebook_token": (
        r"\bEAA[A-Za-z0-9]{40,}",
        r"\bIG(?:QV|AA)[A-Za-z0-9_-]{60,}",
        r"\b[0-9]{15,16}(?:\||%(?:7[Cc])?)[A-Za-z0-9_-]{27,40}",
    ),
    "twitter_token": (r"\bAAAAAA[A-Za-z0-9%]{60,}",),
    "frameio_token": (r"fio-u-[A-Za-z0-9_=-]{60,}",),
    "dynatrace_token": (r"\bdt0[a-z][0-9]{2}\.[A-Za-z0-9]{24}\.[A-Za-z0-9]{64}",),
    "mapbox_token": (r"\b[ps]k\.[a-zA-Z0-9]{60}\.[a-zA-Z0-9]{22}",),
    "maxmind_key": (r"\b[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk",),
    "sendinblue_key": (r"xkeysib-[A-Za-z0-9]{64}-[A-Za-z0-9]{16}",),
    "typeform_token": (r"\btfp_[A-Za-z0-9_.=-]{40,}",),
    "okta_token": (r"\b00[A-Za-z0-9_=-]{40}\b",),
    "opsgenie_key": (r"\bogk_[A-Za-z0-9-]{30,}",),
    "contentful_token": (r"\bCFPAT-[A-Za-z0-9_-]{43}",),
    "airtable_token": (r"\bpat[A-Za-z0-9]{14}\.[0-9a-f]{64}",),
    "adobe_secret": (r"\bp8e-[A-Za-z0-9]{32}",),
    "salesforce_key": (
        r"\b3MVG[A-Za-z0-9_.]{60,}",
        r"\b00D[A-Za-z0-9]{12,15}![A-Za-z0-9._]{80,}",
    ),
    "discord_token": (r"\b[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}",),
    "intra42_key": (r"\bs-s4t2(?:ud|af)-[0-9a-f]{64}",),
    "hubspot_token": (r"\bpat-(?:na|eu)1-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",),
    "posthog_key": (r"\bph[acrsx]_[A-Za-z0-9]{36,}",),
    "akamai_token": (r"\bakab-[a-z0-9]{16}-[a-z0-9]{16}",),
    "authress_key": (
        r"\b(?:sc|ext|scauth|authress)_[A-Za-z0-9]{5,30}\.[A-Za-z0-9]{4,6}\.acc[_-][A-Za-z0-9-]{10,32}\.[A-Za-z0-9+/_=-]{30,}",
    ),
    "dropbox_token": (r"\bsl\.[A-Za-z0-9=_-]{100,}",),
}
