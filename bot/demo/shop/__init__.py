"""The sample shop: four small services that really run, really break and really heal. `Shop` starts one."""

from bot.demo.shop.scenarios import SCENARIOS
from bot.demo.shop.shop import Judgement, Mention, Phases, ServiceDescription, Shop, ShopDescription, ShopError

__all__ = [
    "SCENARIOS",
    "Judgement",
    "Mention",
    "Phases",
    "ServiceDescription",
    "Shop",
    "ShopDescription",
    "ShopError",
]
