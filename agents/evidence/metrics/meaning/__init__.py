"""What a metric means, from its name, its unit and its samples: kind, unit, bad direction, whether it is cumulative.

The doors: `read_name` for a name alone, `read_group` for the series of one metric over a fleet, where the samples
decide what the name leaves open, and `as_indicator` for a series that the engine can judge. Conventions are those of
OpenTelemetry, Prometheus exporters, CloudWatch, Datadog, StatsD and Micrometer; no system's own names stand here.
"""

from agents.evidence.metrics.meaning.indicator import as_indicator, as_indicators
from agents.evidence.metrics.meaning.name import read_name
from agents.evidence.metrics.meaning.samples import read_group
from agents.evidence.metrics.meaning.types import Kind, Meaning, Shape

__all__ = ["Kind", "Meaning", "Shape", "as_indicator", "as_indicators", "read_group", "read_name"]
