"""What the demo starts the bot with: nothing of the reader's own accounts."""

from pathlib import Path

from bot.demo.workspace import Workspace
from bot.demonstration import bot_environment
from bot.manifest import load_manifest

INHERITED = {
    "PATH": "/usr/bin",
    "ANTHROPIC_API_KEY": "planted-key",
    "ANTHROPIC_BASE_URL": "https://api.example",
    "SLACK_BOT_TOKEN": "xoxb-real-workspace",
    "AUTOHEAL_DATABASE_URL": "postgresql://production/autoheal",
}


async def started_with(folder: Path, *, claude: bool) -> dict[str, str]:
    workspace = Workspace(load_manifest(), port=0)
    await workspace.start()
    try:
        return bot_environment(INHERITED, folder, workspace, claude=claude)
    finally:
        await workspace.stop()


async def test_a_key_in_the_environment_is_not_used_unless_claude_was_asked_for(tmp_path: Path) -> None:
    found = await started_with(tmp_path, claude=False)
    assert [name for name in found if name.startswith("ANTHROPIC_")] == []
    asked = await started_with(tmp_path, claude=True)
    assert asked["ANTHROPIC_API_KEY"] == "planted-key"


async def test_the_readers_own_workspace_and_database_are_never_touched(tmp_path: Path) -> None:
    for claude in (False, True):
        found = await started_with(tmp_path, claude=claude)
        assert found["SLACK_BOT_TOKEN"] != INHERITED["SLACK_BOT_TOKEN"]
        assert "AUTOHEAL_DATABASE_URL" not in found
        assert found["AUTOHEAL_DATA"].startswith(str(tmp_path))
        assert found["PATH"] == INHERITED["PATH"]
