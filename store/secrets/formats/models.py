"""Providers of language models."""

FORMATS: dict[str, tuple[str, ...]] = {
    "anthropic_key": (r"sk-ant-[A-Za-z0-9_-]{16,}",),
    "openai_key": (
        r"\bsk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{20,}",
        r"\bsk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}",
        r"\bsk-[A-Za-z0-9]{32,}",
        r"[0-9]msk-[A-Za-z0-9]{32,}",
        r"\bsk-or-v1-[0-9a-f]{40,}",
    ),
    "huggingface_token": (
        r"\bhf_[A-Za-z0-9]{30,}",
        r"\bapi_org_[A-Za-z0-9]{30,}",
    ),
    "cohere_key": (r"\bco_api_[A-Za-z0-9]{30,}",),
    "together_key": (r"\btgp_v1_[A-Za-z0-9_-]{40,}",),
    "llama_key": (r"\bllx-[A-Za-z0-9_-]{40,}",),
    "groq_key": (r"\bgsk_[A-Za-z0-9]{40,}",),
    "perplexity_key": (r"\bpplx-[A-Za-z0-9]{40,}",),
    "replicate_token": (r"\br8_[A-Za-z0-9]{37}",),
    "xai_key": (r"\bxai-[A-Za-z0-9]{60,}",),
    "langsmith_key": (r"\blsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}",),
    "tavily_key": (r"\btvly-(?:[a-z]+-)?[A-Za-z0-9_-]{30,}",),
    "langfuse_key": (r"\b[ps]k-lf-[0-9a-f]{8}-[0-9a-f-]{27}",),
}
