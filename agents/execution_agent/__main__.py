"""`python -m agents.execution_agent`: the command line."""

from agents.execution_agent.cli import main

main()
