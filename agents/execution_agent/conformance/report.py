"""What an examination found: each breach named by the rule that it breaks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MOST_TOLD = 20
"""Breaches in one message."""


class Rule(StrEnum):
    """What an action type is held to."""

    DECLARES = "declares"
    """It says what it is: a summary, a description of every parameter, a correction where nothing takes it back."""
    READS_BACK = "reads back"
    """Its parameters are JSON: written down and read back they are the same."""
    ONLY_PREPARES = "only prepares"
    """`prepare` has no effect, and raises nothing but Refused and NeedsApproval."""
    ANSWERS = "answers"
    """Whatever it raises, whoever asked the agent gets an answer."""
    CLASSES = "classes"
    """Every end of an attempt is classed as what it proves, and the class is true."""
    SENDS_ONCE = "sends once"
    """One attempt asks the provider once; once more if it was told that nothing was done, as a 401 does."""
    KEEPS_ITS_TIME = "keeps its time"
    """An attempt, or a probe, is over when its deadline is."""
    KEEPS_ITS_KEY = "keeps its key"
    """The provider sees one key for one effect, and another one for every other effect."""
    KEEPS_ITS_PROMISE = "keeps its promise"
    """Attempted again after a doubt, there are no more effects than the delivery class allows."""
    PROBES_HONESTLY = "probes honestly"
    """A probe finds what is there, says "not executed" only when that is certain and final, and changes nothing."""
    UNDOES = "undoes"
    """A compensation is made of stored facts alone, and takes back what was done."""
    TELLS_NO_SECRET = "tells no secret"  # noqa: S105 - a rule, and no secret
    """No secret stands in an event, an answer, a log, an error or a repr."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule that was broken, and how."""

    rule: Rule
    told: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.told}"


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a case. `outcomes` is the number of ends that were brought about and classed."""

    case: str
    action_type: str
    outcomes: int
    breaches: tuple[Breach, ...]

    @property
    def misclassed(self) -> int:
        """How many ends were not classed as what they prove."""
        return sum(breach.rule is Rule.CLASSES for breach in self.breaches)

    def require(self) -> None:
        """Raises AssertionError where a rule was broken; the message tells how."""
        if self.breaches:
            told = "".join(f"\n  {breach}" for breach in self.breaches[:MOST_TOLD])
            more = f"\n  and {len(self.breaches) - MOST_TOLD} more" if len(self.breaches) > MOST_TOLD else ""
            raise AssertionError(f"{self.case} does not keep its word:{told}{more}")
