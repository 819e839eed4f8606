"""A program that speaks the Model Context Protocol over stdio. What it says of its tool stands in BOOKS_SAY."""

import asyncio
import os
from typing import Any

from mcp.server import Server
from mcp.server.stdio import stdio_server
from mcp.types import CallToolRequestParams, CallToolResult, ListToolsResult, TextContent, Tool

SCHEMA = {"type": "object", "properties": {"service": {"type": "string"}}}


async def list_tools(_context: Any, _page: Any) -> ListToolsResult:
    return ListToolsResult(tools=[Tool(name="look", description=os.environ["BOOKS_SAY"], input_schema=SCHEMA)])


async def call_tool(_context: Any, wanted: CallToolRequestParams) -> CallToolResult:
    names = ",".join(sorted(name for name in os.environ if name.startswith(("BOOKS_", "AUTOHEAL_"))))
    return CallToolResult(content=[TextContent(text=f"{(wanted.arguments or {}).get('service')} knows {names}")])


async def main() -> None:
    server: Server[Any] = Server("books", on_list_tools=list_tools, on_call_tool=call_tool)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    asyncio.run(main())
