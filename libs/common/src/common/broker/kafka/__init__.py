"""Kafka, through aiokafka: loaded only where the broker's URL says kafka."""
