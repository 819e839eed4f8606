r"""Formats in which vendors publish their secrets: prefixes, lengths and alphabets, one expression a kind.

Written from the vendors' own documentation. A kind is looked for only where one of its cues (a literal piece of it)
occurs, by google-re2, in linear time whatever the text holds. A distinctive prefix needs no word boundary before it:
escaped newlines (`\n`) and joined strings would hide it.
"""

from typing import Any

import ahocorasick
import re2

FORMATS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "aws_access_key_id": (
        ("A3T", "ABIA", "ACCA", "AGPA", "AIDA", "AIPA", "AKIA", "ANPA", "ANVA", "APKA", "AROA", "ASIA"),
        (
            r"(?:AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA|APKA)[A-Z0-9]{16}\b",
            r"\bA3T[A-Z0-9]{17}\b",
        ),
    ),
    "aws_bedrock_key": (
        ("ABSK", "bedrock-ap"),
        (
            r"\bABSK[A-Za-z0-9+/]{100,}={0,2}",
            r"bedrock-api-key-[A-Za-z0-9+/=_-]{20,}",
        ),
    ),
    "github_token": (
        ("gho_", "ghp_", "ghr_", "ghs_", "ghu_", "github_pat"),
        (
            r"gh[posur]_[A-Za-z0-9_.-]{30,}",
            r"github_pat_[A-Za-z0-9_]{36,}",
        ),
    ),
    "gitlab_token": (
        (
            "GR1348941",
            "_gitlab_se",
            "glagent-",
            "glcbt-",
            "gldt-",
            "glffct-",
            "glft-",
            "glimt-",
            "gloas-",
            "glpat-",
            "glptt-",
            "glrt-",
            "glsoat-",
            "glwt-",
        ),
        (
            r"gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat|ffct|oas|wt)-[A-Za-z0-9_.=-]{16,}",
            r"\bGR1348941[A-Za-z0-9_-]{20,}",
            r"_gitlab_session=[0-9a-z]{32}",
        ),
    ),
    "slack_token": (
        ("xapp-", "xox", "xwfp-"),
        (
            r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{8,}",
            r"xapp-[0-9]-[A-Za-z0-9-]{10,}",
            r"xwfp-[A-Za-z0-9-]{10,}",
        ),
    ),
    "webhook_url": (
        ("/api/webhooks/", "://hooks.slack", "chat.googleapis", "hooks.zapier", "webhookb2"),
        (
            r"https?://hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers|actions|commands)/[A-Za-z0-9_+/-]{10,}",
            r"https?://(?:[a-z]+\.)?discord(?:app)?\.com/api/webhooks/[0-9]{15,20}/[A-Za-z0-9_-]{40,}",
            r"https?://[a-z0-9.-]+\.webhook\.office\.com/webhookb2/[A-Za-z0-9@/_-]{20,}",
            r"https?://hooks\.zapier\.com/hooks/catch/[0-9]+/[A-Za-z0-9]+",
            r"https?://chat\.googleapis\.com/v1/spaces/[A-Za-z0-9_-]+/messages\?[A-Za-z0-9=&%_-]{20,}",
        ),
    ),
    "anthropic_key": (
        ("sk-ant-",),
        (r"sk-ant-[A-Za-z0-9_-]{16,}",),
    ),
    "openai_key": (
        ("sk-",),
        (
            r"\bsk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{20,}",
            r"\bsk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}",
            r"\bsk-[A-Za-z0-9]{32,}",
            r"\bsk-or-v1-[0-9a-f]{40,}",
        ),
    ),
    "stripe_key": (
        (
            "pk_live_",
            "pk_prod_",
            "pk_test_",
            "rk_live_",
            "rk_prod_",
            "rk_test_",
            "sk_live_",
            "sk_prod_",
            "sk_test_",
            "whsec_",
        ),
        (
            r"(?:sk|rk|pk)_(?:live|test|prod)_[A-Za-z0-9]{10,}",
            r"\bwhsec_[A-Za-z0-9+/=]{24,}",
        ),
    ),
    "google_key": (
        ("1//0", "AIza", "GOCSPX-", "ya29."),
        (
            r"AIza[A-Za-z0-9_-]{35}",
            r"\bya29\.[A-Za-z0-9_.-]{20,}",
            r"GOCSPX-[A-Za-z0-9_-]{20,}",
            r"\b1//0[A-Za-z0-9_-]{30,}",
        ),
    ),
    "sendgrid_key": (
        ("SG.",),
        (r"\bSG\.[A-Za-z0-9_=-]{16,}[.A-Za-z0-9_=-]{20,}",),
    ),
    "twilio_key": (
        ("AC", "SK"),
        (r"\b(?:SK|AC)[0-9a-fA-F]{32}\b",),
    ),
    "npm_token": (
        ("npm_",),
        (r"npm_[A-Za-z0-9]{36}",),
    ),
    "pypi_token": (
        ("pypi-A",),
        (r"pypi-A[A-Za-z0-9_-]{16,}",),
    ),
    "rubygems_key": (
        ("rubygems_",),
        (r"rubygems_[0-9a-f]{48}",),
    ),
    "clojars_token": (
        ("CLOJARS_",),
        (r"CLOJARS_[A-Za-z0-9]{60}",),
    ),
    "datadog_key": (
        ("dda", "ddp"),
        (r"\bdd[ap]p?_[A-Za-z0-9]{34,40}\b",),
    ),
    "pagerduty_key": (
        ("pdus+", "u+"),
        (
            r"\bu\+[A-Za-z0-9_-]{18}\b",
            r"\bpdus\+[A-Za-z0-9_+-]{20,}",
        ),
    ),
    "atlassian_token": (
        ("ATATT3", "ATBB", "ATCTT3"),
        (
            r"ATATT3[A-Za-z0-9_=-]{50,}",
            r"ATCTT3[A-Za-z0-9_=-]{50,}",
            r"\bATBB[A-Za-z0-9]{24,}\b",
        ),
    ),
    "digitalocean_token": (
        ("doo_v1_", "dop_v1_", "dor_v1_"),
        (r"do[opr]_v1_[0-9a-f]{64}",),
    ),
    "doppler_token": (
        ("dp.audit.", "dp.ct.", "dp.pt.", "dp.sa.", "dp.scim.", "dp.st."),
        (r"\bdp\.(?:pt|st|ct|sa|scim|audit)\.(?:[a-z0-9_-]+\.)?[A-Za-z0-9]{40,44}",),
    ),
    "databricks_token": (
        ("dapi",),
        (r"\bdapi[0-9a-h]{32}(?:-[0-9])?\b",),
    ),
    "hashicorp_token": (
        (".atlasv1.", "hvb.", "hvr.", "hvs."),
        (
            r"\bhv[sbr]\.[A-Za-z0-9_-]{20,}",
            r"\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,}",
        ),
    ),
    "grafana_token": (
        ("eyJrIjoi", "glc_", "glsa_"),
        (
            r"glc_[A-Za-z0-9+/_-]{20,}={0,3}",
            r"glsa_[A-Za-z0-9]{32}_[0-9a-fA-F]{8}",
            r"\beyJrIjoi[A-Za-z0-9+/_-]{40,}={0,2}",
        ),
    ),
    "huggingface_token": (
        ("api_org_", "hf_"),
        (
            r"\bhf_[A-Za-z0-9]{30,}",
            r"\bapi_org_[A-Za-z0-9]{30,}",
        ),
    ),
    "sentry_token": (
        ("sntrys_", "sntryu_"),
        (r"sntry[su]_[A-Za-z0-9+/=_-]{20,}",),
    ),
    "newrelic_key": (
        ("NRAK-", "NRII-", "NRIQ-", "NRJS-", "NRRA-"),
        (
            r"NRAK-[A-Za-z0-9]{20,}",
            r"NRI[IQ]-[A-Za-z0-9_-]{20,}",
            r"NRJS-[0-9a-f]{19}",
            r"NRRA-[0-9a-f]{36,}",
        ),
    ),
    "mailgun_key": (
        ("key-",),
        (r"\b(?:pub)?key-[0-9a-f]{32}\b",),
    ),
    "mailchimp_key": (
        ("-us",),
        (r"\b[0-9a-f]{32}-us[0-9]{1,2}\b",),
    ),
    "telegram_token": (
        (":A",),
        (r"\b[0-9]{5,16}:A[A-Za-z0-9_-]{33,35}\b",),
    ),
    "shopify_token": (
        ("shpat_", "shpca_", "shppa_", "shpss_"),
        (r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",),
    ),
    "postman_key": (
        ("PMAK-",),
        (r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}",),
    ),
    "linear_key": (
        ("lin_api_", "lin_oauth_"),
        (r"lin_(?:api|oauth)_[A-Za-z0-9]{32,}",),
    ),
    "notion_token": (
        ("ntn_", "secret_"),
        (
            r"\bntn_[A-Za-z0-9]{40,}",
            r"\bsecret_[A-Za-z0-9]{43}\b",
        ),
    ),
    "figma_token": (
        ("figd", "figo", "figu"),
        (r"fig[dou]r?_[A-Za-z0-9_-]{36,}",),
    ),
    "cloudflare_token": (
        ("cfat_", "cfk_", "cfut_", "v1.0-"),
        (
            r"\bcf(?:at|ut|k)_[A-Za-z0-9_-]{36,}",
            r"\bv1\.0-[0-9a-f]{24}-[0-9a-f]{146}",
        ),
    ),
    "azure_secret": (
        ("Q~",),
        (r"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}",),
    ),
    "age_key": (
        ("AGE-SECRET",),
        (r"AGE-SECRET-KEY-1[0-9A-Z]{58}",),
    ),
    "artifactory_key": (
        ("AKC", "cmVmd"),
        (
            r"\bAKC[a-z][A-Za-z0-9]{9,}",
            r"\bcmVmd[A-Za-z0-9]{55,}",
        ),
    ),
    "planetscale_token": (
        ("pscale_oau", "pscale_pw_", "pscale_tkn"),
        (r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{30,}",),
    ),
    "pulumi_token": (
        ("pul-",),
        (r"\bpul-[0-9a-f]{40}\b",),
    ),
    "prefect_key": (
        ("pnb_", "pnu_"),
        (r"\bpn[ub]_[A-Za-z0-9]{36}\b",),
    ),
    "readme_key": (
        ("rdme_",),
        (r"rdme_[a-z0-9]{70}",),
    ),
    "heroku_key": (
        ("HRKU-AA",),
        (r"HRKU-AA[A-Za-z0-9_-]{40,}",),
    ),
    "facebook_token": (
        ("EAA", "|"),
        (
            r"\bEAA[A-Za-z0-9]{40,}",
            r"\b[0-9]{15,16}\|[A-Za-z0-9_-]{27,40}",
        ),
    ),
    "twitter_token": (
        ("AAAAAA",),
        (r"\bAAAAAA[A-Za-z0-9%]{60,}",),
    ),
    "flyio_token": (
        ("fm1", "fm2", "fo1_"),
        (
            r"\bfm[12][arb]?_[A-Za-z0-9+/=_,-]{60,}",
            r"\bfo1_[A-Za-z0-9_-]{43}",
        ),
    ),
    "flutterwave_key": (
        ("FLWPUBK", "FLWSECK"),
        (r"FLW(?:SEC|PUB)K(?:_TEST)?-[0-9a-zA-Z-]{12,}",),
    ),
    "frameio_token": (
        ("fio-u-",),
        (r"fio-u-[A-Za-z0-9_=-]{60,}",),
    ),
    "defined_key": (
        ("dnkey-",),
        (r"dnkey-[a-z0-9_=-]{20,}",),
    ),
    "duffel_token": (
        ("duffel_liv", "duffel_tes"),
        (r"duffel_(?:test|live)_[A-Za-z0-9_=-]{40,}",),
    ),
    "dynatrace_token": (
        ("dt0",),
        (r"\bdt0[a-z][0-9]{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}",),
    ),
    "easypost_key": (
        ("EZAK", "EZTK"),
        (r"EZ[AT]K[A-Za-z0-9]{54}",),
    ),
    "gocardless_token": (
        ("live_",),
        (r"\blive_[A-Za-z0-9_=-]{40}",),
    ),
    "lob_key": (
        ("live_", "test_"),
        (r"\b(?:live|test)_(?:pub_)?[0-9a-f]{31,35}\b",),
    ),
    "shippo_token": (
        ("shippo_liv", "shippo_tes"),
        (r"shippo_(?:live|test)_[0-9a-fA-F]{40}",),
    ),
    "plaid_token": (
        ("access-dev", "access-pro", "access-san"),
        (r"access-(?:sandbox|development|production)-[0-9a-f]{8}-[0-9a-f-]{27}",),
    ),
    "square_token": (
        ("EAAA", "sq0"),
        (r"\b(?:EAAA|sq0[a-z]{3}-)[A-Za-z0-9_-]{22,}",),
    ),
    "mapbox_token": (
        ("pk.", "sk."),
        (r"\b[ps]k\.[a-zA-Z0-9]{60}\.[a-zA-Z0-9]{22}",),
    ),
    "maxmind_key": (
        ("_mmk",),
        (r"\b[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk",),
    ),
    "clickhouse_key": (
        ("4b1d",),
        (r"\b4b1d[A-Za-z0-9]{38}\b",),
    ),
    "cohere_key": (
        ("co_api_",),
        (r"\bco_api_[A-Za-z0-9]{30,}",),
    ),
    "scalingo_token": (
        ("tk-us-",),
        (r"\btk-us-[A-Za-z0-9_-]{48}",),
    ),
    "sendinblue_key": (
        ("xkeysib-",),
        (r"xkeysib-[0-9a-f]{64}-[A-Za-z0-9]{16}",),
    ),
    "settlemint_token": (
        ("sm_aat_", "sm_pat_", "sm_sat_"),
        (r"\bsm_[aps]at_[A-Za-z0-9]{16}",),
    ),
    "typeform_token": (
        ("tfp_",),
        (r"\btfp_[A-Za-z0-9_.=-]{40,}",),
    ),
    "together_key": (
        ("tgp_v1_",),
        (r"\btgp_v1_[A-Za-z0-9_-]{40,}",),
    ),
    "llama_key": (
        ("llx-",),
        (r"\bllx-[A-Za-z0-9]{40,}",),
    ),
    "groq_key": (
        ("gsk_",),
        (r"\bgsk_[A-Za-z0-9]{40,}",),
    ),
    "perplexity_key": (
        ("pplx-",),
        (r"\bpplx-[A-Za-z0-9]{40,}",),
    ),
    "replicate_token": (
        ("r8_",),
        (r"\br8_[A-Za-z0-9]{37}",),
    ),
    "xai_key": (
        ("xai-",),
        (r"\bxai-[A-Za-z0-9]{60,}",),
    ),
    "langsmith_key": (
        ("lsv2_pt_", "lsv2_sk_"),
        (r"\blsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}",),
    ),
    "docker_token": (
        ("dckr_oat_", "dckr_pat_"),
        (r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{27,}",),
    ),
    "terraform_token": (
        ("tfe-",),
        (r"\btfe-[A-Za-z0-9]{40,}",),
    ),
    "tailscale_key": (
        ("tskey-",),
        (r"tskey-[a-z]+-[A-Za-z0-9-]{16,}",),
    ),
    "okta_token": (
        ("00",),
        (r"\b00[A-Za-z0-9_-]{39}[A-Za-z0-9_]\b",),
    ),
    "opsgenie_key": (
        ("ogk_",),
        (r"\bogk_[A-Za-z0-9-]{30,}",),
    ),
    "supabase_key": (
        ("sb_publish", "sb_secret_", "sbp_"),
        (r"\bsb(?:p|_secret|_publishable)_[A-Za-z0-9_]{20,}",),
    ),
    "vercel_token": (
        ("vca_", "vci_", "vck_", "vcp_", "vcr_"),
        (r"\bvc[pkiar]_[A-Za-z0-9]{24,}",),
    ),
    "netlify_token": (
        ("nfb_", "nfc_", "nfo_", "nfp_", "nfu_"),
        (r"\bnf[pcoub]_[A-Za-z0-9_-]{36,}",),
    ),
    "neon_key": (
        ("napi_",),
        (r"\bnapi_[a-z0-9]{60,}",),
    ),
    "circleci_token": (
        ("CCIPAT_", "CCIPRJ_"),
        (r"\bCCI(?:PAT|PRJ)_[A-Za-z0-9_]{40,}",),
    ),
    "buildkite_token": (
        ("bkaj_", "bkat_", "bkct_", "bkua_"),
        (r"\bbk(?:ua|at|ct|aj)_[A-Za-z0-9]{30,}",),
    ),
    "confluent_key": (
        ("cflt",),
        (r"\bcflt[A-Za-z0-9+/]{60}",),
    ),
    "contentful_token": (
        ("CFPAT-",),
        (r"\bCFPAT-[A-Za-z0-9_-]{43}",),
    ),
    "airtable_token": (
        ("pat",),
        (r"\bpat[A-Za-z0-9]{14}\.[0-9a-f]{64}",),
    ),
    "adobe_secret": (
        ("p8e-",),
        (r"\bp8e-[A-Za-z0-9]{32}",),
    ),
    "alibaba_key": (
        ("LTAI",),
        (r"\bLTAI[A-Za-z0-9]{12,22}\b",),
    ),
    "tencent_key": (
        ("AKID",),
        (r"\bAKID[A-Za-z0-9]{32}\b",),
    ),
    "yandex_key": (
        ("AQVN", "YC", "t1."),
        (
            r"\bt1\.[A-Za-z0-9_-]+={0,2}\.[A-Za-z0-9_-]{80,}={0,2}",
            r"\bYC[A-Za-z0-9_-]{38}\b",
            r"\bAQVN[A-Za-z0-9_-]{35,38}",
        ),
    ),
    "1password_key": (
        ("A3-", "ops_eyJ"),
        (
            r"\bA3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})-[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5}",
            r"\bops_eyJ[A-Za-z0-9+/=_-]{100,}",
        ),
    ),
    "infracost_key": (
        ("ico-",),
        (r"\bico-[A-Za-z0-9]{32}",),
    ),
    "salesforce_key": (
        ("00D", "3MVG"),
        (
            r"\b3MVG[A-Za-z0-9_.]{60,}",
            r"\b00D[A-Za-z0-9]{12,15}![A-Za-z0-9._]{80,}",
        ),
    ),
    "nats_seed": (
        ("SA", "SC", "SN", "SO", "SU", "SX"),
        (r"\bS[UAONCX][A-Z2-9]{50,56}\b",),
    ),
    "discord_token": (
        (".",),
        (r"\b[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}",),
    ),
    "jira_token": (
        ("MD", "MT", "Mj", "Mz", "ND", "NT", "Nj", "Nz", "OD", "OT"),
        (r"\b(?:MD|Mz|Nj|OT|OD|Nz|NT|ND|MT|Mj)[A-Za-z0-9+/]{42}\b",),
    ),
    "intra42_key": (
        ("s-s4t2af-", "s-s4t2ud-"),
        (r"\bs-s4t2(?:ud|af)-[0-9a-f]{64}",),
    ),
    "octopus_key": (
        ("API-",),
        (r"\bAPI-[A-Z0-9]{26}\b",),
    ),
    "hubspot_token": (
        ("pat-eu1-", "pat-na1-"),
        (r"\bpat-(?:na|eu)1-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",),
    ),
    "harness_key": (
        ("pat.", "sat."),
        (r"\b[ps]at\.[A-Za-z0-9_-]{22}\.[0-9a-f]{24}\.[A-Za-z0-9]{20}",),
    ),
    "openshift_token": (
        ("sha256~",),
        (r"sha256~[A-Za-z0-9_-]{43}",),
    ),
    "jwt": (
        ("ZXlK", "eyJ"),
        (
            r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_/+=-]*)?(?:\.[A-Za-z0-9_-]+){0,2}",
            r"\bZXlK[A-Za-z0-9+/=]{60,}",
        ),
    ),
    "private_key": (
        ("LS0tLS1CRU",),
        (r"LS0tLS1CRUdJTi[A-Za-z0-9+/]*[A-Za-z0-9+/=\r\n \\]{40,}",),
    ),
}
"""Kind to its cues and expressions. The kind is what the placeholder says."""

EXPRESSIONS = {kind: re2.compile("|".join(f"(?:{form})" for form in forms)) for kind, (_, forms) in FORMATS.items()}


def _cues() -> Any:
    kinds: dict[str, list[str]] = {}
    for kind, (cues, _) in FORMATS.items():
        for cue in cues:
            kinds.setdefault(cue, []).append(kind)
    automaton = ahocorasick.Automaton()
    for cue, its_kinds in kinds.items():
        automaton.add_word(cue, tuple(its_kinds))
    automaton.make_automaton()
    return automaton


_CUES = _cues()


def kinds_to_look_for(text: str) -> set[str]:
    """The kinds of which a cue occurs in the text."""
    return {kind for _, kinds in _CUES.iter(text) for kind in kinds}
