"""What lies on the disk is for the user of the process alone."""

import os
import stat
from pathlib import Path

from bot.assemble import engine_settings
from bot.opening import open_database
from bot.settings import Settings


async def test_all_files_of_the_data_folder_are_private_even_in_a_folder_that_is_not(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    old = os.umask(0o022)
    try:
        async with open_database(Settings(data=data)) as (_, keys):
            await engine_settings(Settings(data=data), keys)
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in data.iterdir()}
    finally:
        os.umask(old)
    assert {"master.key", "engine.key", "autoheal.db", "keyring.db"} <= modes.keys()
    assert {name: mode for name, mode in modes.items() if mode & 0o077} == {}
