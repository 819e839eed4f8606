"""Tables and charts.

https://docs.slack.dev/reference/block-kit/blocks/table-block, .../data-table-block, .../data-visualization-block
"""

import math
from typing import Any

from bot.demo.workspace.model import Json
from bot.demo.workspace.validation.problems import Problems
from bot.demo.workspace.validation.rich_text import check_rich_text

CHART_TYPES = ("line", "bar", "area", "pie")


def cell_characters(block: Json) -> int:
    """Characters in the cells of a table, as Slack counts them against a message's budget."""
    rows = block.get("rows")
    cells = [cell for row in rows if isinstance(row, list) for cell in row] if isinstance(rows, list) else []
    return sum(_characters(cell) for cell in cells)


def _characters(value: Any) -> int:
    if isinstance(value, dict):
        own = len(value["text"]) if isinstance(value.get("text"), str) else 0
        return own + _characters(value.get("elements"))
    return sum(_characters(child) for child in value) if isinstance(value, list) else 0


def check_table(problems: Problems, block: Json, pointer: str) -> None:
    if not problems.keys(block, pointer, required=("rows",), optional=("column_settings", "block_id")):
        return
    rows = problems.items(block["rows"], f"{pointer}/rows", limit=100)
    _rows(problems, rows, f"{pointer}/rows")
    if "column_settings" in block:
        problems.items(block["column_settings"], f"{pointer}/column_settings", limit=20, least=0)


def check_data_table(problems: Problems, block: Json, pointer: str) -> None:
    optional = ("page_size", "row_header_column_index", "block_id")
    if not problems.keys(block, pointer, required=("rows", "caption"), optional=optional):
        return
    problems.string(block["caption"], f"{pointer}/caption", limit=2000)
    rows = problems.items(block["rows"], f"{pointer}/rows", limit=201, least=2)
    _rows(problems, rows, f"{pointer}/rows")
    if len({len(row) for row in rows if isinstance(row, list)}) > 1:
        problems.add(f"{pointer}/rows", "all rows must have the same number of cells")
    header = rows[0] if rows and isinstance(rows[0], list) else []
    if any(isinstance(cell, dict) and cell.get("type") == "rich_text" for cell in header):
        problems.add(f"{pointer}/rows/0", "header cells cannot be rich_text")
    if not 1 <= block.get("page_size", 5) <= 100:
        problems.add(f"{pointer}/page_size", "must be between 1 and 100")


def _rows(problems: Problems, rows: list[Any], pointer: str) -> None:
    for y, row in enumerate(rows):
        for x, cell in enumerate(problems.items(row, f"{pointer}/{y}", limit=20)):
            _cell(problems, cell, f"{pointer}/{y}/{x}")


def _cell(problems: Problems, cell: Any, pointer: str) -> None:
    kind = cell.get("type") if isinstance(cell, dict) else None
    if kind == "raw_text":
        if problems.keys(cell, pointer, required=("text",)):
            problems.string(cell["text"], f"{pointer}/text", limit=20_000)
    elif kind == "raw_number":
        if problems.keys(cell, pointer, required=("value",), optional=("text",)):
            _number(problems, cell["value"], f"{pointer}/value")
    elif kind == "rich_text":
        check_rich_text(problems, cell, pointer)
    else:
        problems.add(pointer, f"unsupported type: {kind}")


def check_chart(problems: Problems, block: Json, pointer: str) -> None:
    """`data_visualization`. Labels of all points are the axis's categories, in any order, once each."""
    if not problems.keys(block, pointer, required=("title", "chart"), optional=("block_id",)):
        return
    problems.string(block["title"], f"{pointer}/title", limit=50)
    chart, where = block["chart"], f"{pointer}/chart"
    if not isinstance(chart, dict) or chart.get("type") not in CHART_TYPES:
        problems.add(where, f"must be a chart of type {', '.join(CHART_TYPES)}")
    elif chart["type"] == "pie":
        _pie(problems, chart, where)
    elif problems.keys(chart, where, required=("series", "axis_config")):
        categories = _axis(problems, chart["axis_config"], f"{where}/axis_config")
        _series(problems, chart["series"], f"{where}/series", categories)


def _pie(problems: Problems, chart: Json, pointer: str) -> None:
    if not problems.keys(chart, pointer, required=("segments",)):
        return
    for index, segment in enumerate(problems.items(chart["segments"], f"{pointer}/segments", limit=6)):
        where = f"{pointer}/segments/{index}"
        _point(problems, segment, where)
        if isinstance(segment, dict) and isinstance(segment.get("value"), int | float) and segment["value"] <= 0:
            problems.add(f"{where}/value", "must be greater than 0")


def _axis(problems: Problems, axis: Any, pointer: str) -> list[str]:
    if not isinstance(axis, dict):
        problems.add(pointer, "must be an axis config object")
        return []
    for name in ("x_label", "y_label"):
        if name in axis:
            problems.string(axis[name], f"{pointer}/{name}", limit=50)
    if not problems.keys(axis, pointer, required=("categories",), optional=("x_label", "y_label")):
        return []
    categories = problems.items(axis["categories"], f"{pointer}/categories", limit=20)
    for index, category in enumerate(categories):
        problems.string(category, f"{pointer}/categories/{index}", limit=20)
    if len({str(category) for category in categories}) != len(categories):
        problems.add(f"{pointer}/categories", "categories must be unique")
    return [str(category) for category in categories]


def _series(problems: Problems, series: Any, pointer: str, categories: list[str]) -> None:
    names: set[str] = set()
    for index, one in enumerate(problems.items(series, pointer, limit=6)):
        where = f"{pointer}/{index}"
        if not isinstance(one, dict) or not problems.keys(one, where, required=("name", "data")):
            problems.add(where, "must be a data series object")
            continue
        problems.string(one["name"], f"{where}/name", limit=20)
        if one["name"] in names:
            problems.add(f"{where}/name", "series names must be unique")
        names.add(one["name"])
        points = problems.items(one["data"], f"{where}/data", limit=20)
        for place, point in enumerate(points):
            _point(problems, point, f"{where}/data/{place}")
        labels = sorted(str(point.get("label")) for point in points if isinstance(point, dict))
        if labels != sorted(categories):
            problems.add(f"{where}/data", "labels must match axis_config.categories")


def _point(problems: Problems, point: Any, pointer: str) -> None:
    if not isinstance(point, dict):
        problems.add(pointer, "must be a data point object")
    elif problems.keys(point, pointer, required=("label", "value")):
        problems.string(point["label"], f"{pointer}/label", limit=20)
        _number(problems, point["value"], f"{pointer}/value")


def _number(problems: Problems, value: Any, pointer: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        problems.add(pointer, "must be a number")
