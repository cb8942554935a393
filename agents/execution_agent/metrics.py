"""What CloudWatch counts, as lines in its embedded metric format, in the namespace `ExecutionAgent`.

    ActionsEnded{Status}     ends, doubts and holds, from the stream alone, so that nothing is counted by two
    Quarantined              what was set aside for a person
    DueActions               what a sweep left undone
    SweepLagSeconds          for how long the one that had waited longest was due when the sweep began
    OldestInDoubtSeconds     for how long the oldest doubt has been open

Alarms and dashboards are made of these words: they outlive the code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handlers.batch import BatchReport
    from handlers.sweep import SweepReport

NAMESPACE = "ExecutionAgent"


def tell_of_batch(report: BatchReport) -> None:
    """Nothing, where there was nothing to tell of."""
    for status, count in sorted(report.ended.items()):
        _put({"ActionsEnded": ("Count", count)}, Status=status)
    if report.quarantined:
        _put({"Quarantined": ("Count", report.quarantined)})


def tell_of_sweep(report: SweepReport) -> None:
    """Each time, so that a sweep that does not come is missed."""
    told: dict[str, tuple[str, float]] = {
        "DueActions": ("Count", report.left),
        "SweepLagSeconds": ("Seconds", report.lag_s),
        "Quarantined": ("Count", report.quarantined),
    }
    if report.oldest_in_doubt_s is not None:
        told["OldestInDoubtSeconds"] = ("Seconds", report.oldest_in_doubt_s)
    _put(told)


def _put(metrics: Mapping[str, tuple[str, float]], **dimensions: str) -> None:
    """One line on stdout, from which CloudWatch makes the metrics: no request, and nobody waits."""
    # Imported here: a cold start that answers requests does without.
    from aws_lambda_powertools.metrics import EphemeralMetrics

    line = EphemeralMetrics(namespace=NAMESPACE)
    for name, value in dimensions.items():
        line.add_dimension(name, value)
    for name, (unit, number) in metrics.items():
        line.add_metric(name, unit, number)
    line.flush_metrics()
