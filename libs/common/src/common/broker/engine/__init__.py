"""What becomes of a record: order, retries, pauses, halts and drains, over any transport."""
