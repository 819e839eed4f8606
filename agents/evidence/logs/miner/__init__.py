"""Log lines to templates, as a stream: what varies becomes `<*>`, and lines that differ only there share a template.

Three steps, each cheaper per line than the next: digits are levelled for a whole batch at once, so that most lines cost
one dictionary look-up; new forms have their values masked word by word; new masked forms are merged where one place
holds many words. The rules say what a value looks like, never what a product writes.
"""

from agents.evidence.logs.miner.folding import continues, fold, fold_lines
from agents.evidence.logs.miner.masking import WILD
from agents.evidence.logs.miner.stream import TemplateMiner
from agents.evidence.logs.miner.template import MinedTemplate

__all__ = ["WILD", "MinedTemplate", "TemplateMiner", "continues", "fold", "fold_lines"]
