"""Who answers: the port that every assistant serves, and the one that needs no model."""

from processor.assistant.port import Answer, Assistant, Said, TurnContext

__all__ = ["Answer", "Assistant", "Said", "TurnContext"]
