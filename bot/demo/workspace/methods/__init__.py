"""The Web API methods, one module per family. Importing this package registers them all."""

from bot.demo.workspace.methods import (
    apps,
    assistant,
    chat,
    conversations,
    reactions,
    sessions,
    streams,
    users,
    views,
)

__all__ = ["apps", "assistant", "chat", "conversations", "reactions", "sessions", "streams", "users", "views"]
