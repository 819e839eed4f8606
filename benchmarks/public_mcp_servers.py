"""Connects two public servers of the Model Context Protocol that nobody here wrote: one from PyPI as a program, one
from npm over streamable HTTP, each installed into a folder of its own that is removed afterwards.

    python benchmarks/public_mcp_servers.py
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
import socket
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from agents.connecting.connector import ConnectorContext, Service
from agents.connecting.connectors.mcp import McpConnector
from agents.connecting.connectors.mcp_programs import McpPrograms, McpProgramsConfig
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.tool import Tool

PROGRAM, SERVER = "mcp-server-time", "@modelcontextprotocol/server-everything@2026.8.31"
WAIT_S = 60


def installed(folder: Path) -> tuple[Path, Path]:
    """The program, and the server's start."""
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    pip = [folder / "venv" / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, PROGRAM], check=True)
    npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), SERVER]
    subprocess.run(npm, check=True)
    return folder / "venv" / "bin" / "mcp-server-time", folder / "node_modules" / ".bin" / "mcp-server-everything"


async def ask(tool: Tool, arguments: dict[str, Any]) -> None:
    begun = perf_counter()
    output = await tool.run(tool.parse(arguments))
    print(f"  {tool.name}({arguments}) in {perf_counter() - begun:.2f} s: {output.summary}")


async def by_program(program: Path, context: ConnectorContext) -> None:
    given = {"name": "clock", "argv": [str(program)], "read": {"get_current_time": "unknown"}}
    first = await McpPrograms(McpProgramsConfig.model_validate({"server": [given]}), context).check()
    found = re.search(r'get_current_time = "(\w+)"', first.detail)
    assert not first.usable
    assert found, first.detail
    given["read"] = {"get_current_time": found[1]}
    accepted = McpPrograms(McpProgramsConfig.model_validate({"server": [given]}), context)
    await accepted.start()
    (tool,) = accepted.tools()
    await ask(tool, {"timezone": "Europe/Berlin"})


async def by_http(server: Path, context: ConnectorContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    running = await asyncio.create_subprocess_exec(
        str(server), "streamableHttp", env={**os.environ, "PORT": str(port)}, stdout=-3, stderr=-3
    )
    try:
        given: dict[str, Any] = {"url": f"http://127.0.0.1:{port}/mcp"}
        async with asyncio.timeout(WAIT_S):
            while "cannot be reached" in (seen := await connector(given, context).check()).detail:  # noqa: ASYNC110
                await asyncio.sleep(0.5)
        print(f"  {seen.detail}")
        given["read"] = ["echo", "get-sum"]
        given["write"] = ["toggle-simulated-logging"]
        assert (await connector(given, context).check()).ok
        given |= dict((await connector(given, context).pins()).settings)
        accepted = connector(given, context)
        print(f"  {(await accepted.check()).detail}; proposed only: {', '.join(accepted.write_tools())}")
        tools = {tool.name: tool for tool in accepted.tools()}
        await ask(tools["echo"], {"message": "checkout is slow"})
        await ask(tools["get-sum"], {"a": 40, "b": 2})
    finally:
        running.terminate()
        await running.wait()


def connector(given: dict[str, Any], context: ConnectorContext) -> McpConnector:
    return McpConnector(McpConnector.config_model.model_validate(given), replace(context, label="everything"))


async def main() -> None:
    outbound = Outbound(EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),)))
    context = ConnectorContext(services=(Service(name="checkout"),), outbound=outbound, now=lambda: datetime.now(UTC))
    with tempfile.TemporaryDirectory() as folder:
        program, server = await asyncio.to_thread(installed, Path(folder))
        print("mcp-server-time (PyPI), as a program:")
        await by_program(program, context)
        print("@modelcontextprotocol/server-everything (npm), over streamable HTTP:")
        await by_http(server, context)
    await outbound.close()


if __name__ == "__main__":
    asyncio.run(main())
