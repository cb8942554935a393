"""What AWS asks for, in US dollars, on demand, in us-east-1. The one place where prices stand.

As the public price lists (aws.amazon.com/dynamodb/pricing, and likewise lambda, sqs, eventbridge and cloudwatch) and
guides to them had it in the middle of 2026. Free tiers and discounts for volume are left out.
"""

from __future__ import annotations

MILLION = 1_000_000
GIBIBYTE = 1024**3

WRITE_UNIT = 0.625 / MILLION
READ_UNIT = 0.125 / MILLION
"""DynamoDB, a request unit. What a stream's Lambda trigger reads of it is free."""

INVOCATION = 0.20 / MILLION
GIGABYTE_SECOND = 0.0000166667
"""Lambda, x86_64."""

QUEUE_REQUEST = 0.40 / MILLION
"""SQS, a standard queue. A message takes three: it is sent, received and deleted."""

EVENT = 1.00 / MILLION
"""EventBridge, an event of one's own."""

LOGGED_BYTE = 0.50 / GIBIBYTE
"""CloudWatch Logs, taken in."""
