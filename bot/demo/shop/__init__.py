"""The sample shop: four small services that really run, really break and really heal. `Shop` starts one."""

from bot.demo.shop.scenarios import SCENARIOS
from bot.demo.shop.shop import Judgement, Phases, ServiceDescription, Shop, ShopDescription, ShopError, ShopMention

__all__ = [
    "SCENARIOS",
    "Judgement",
    "Phases",
    "ServiceDescription",
    "Shop",
    "ShopDescription",
    "ShopError",
    "ShopMention",
]
