"""The simulation notices every bug that is planted in the agent."""

from __future__ import annotations

import pytest

from tests.simulation.mutants import Killed, hunt
from tests.simulation.mutations import MUTATIONS, WORKFLOW_MUTATIONS, Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_planted_bug_is_noticed(mutation: Mutation) -> None:
    before = vars(mutation.owner)[mutation.attribute]
    assert isinstance(hunt(mutation), Killed)
    assert vars(mutation.owner)[mutation.attribute] is before


@pytest.mark.parametrize("mutation", WORKFLOW_MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_planted_bug_of_workflow_runs_is_noticed(mutation: Mutation) -> None:
    before = vars(mutation.owner)[mutation.attribute]
    assert isinstance(hunt(mutation, workflows=4), Killed)
    assert vars(mutation.owner)[mutation.attribute] is before


def test_what_changes_nothing_is_not_noticed() -> None:
    harmless = Mutation("nothing", MUTATIONS[0].owner, MUTATIONS[0].attribute, lambda good: good)
    assert hunt(harmless, most_seeds=5) is None
