"""The bench: what carrying out an action costs, beside a bare floor that was written without us.

    python -m bench [--quick] [--only PART]... [--json FILE]

Machines are noisy, so every time is a ratio to a floor that is measured in turns with ours, in the same run.
What does not depend on the machine is counted: synced transactions, requests, units, bytes, imported libraries.
"""
