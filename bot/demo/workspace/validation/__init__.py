"""Slack's rules for blocks, messages, streams and views, applied at least as strictly as Slack does.

Each check returns messages in the manner of Slack's `response_metadata.messages`; an empty list means that all is well.
Reference: https://docs.slack.dev/reference/block-kit
"""

from bot.demo.workspace.validation.messages import check_attachments, check_blocks, check_chunks
from bot.demo.workspace.validation.views import check_view

__all__ = ["check_attachments", "check_blocks", "check_chunks", "check_view"]
