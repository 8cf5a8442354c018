"""What the knowledge assistant says in words of its own, in both languages."""

from processor.assistant.small_talk import SmallTalk
from processor.words import Language

_SMALL_TALK: dict[SmallTalk, dict[Language, str]] = {
    SmallTalk.GREETING: {
        "pt": "Olá! Aqui é o assistente da {business}. Como posso ajudar?",
        "en": "Hello! This is the assistant of {business}. How can I help you?",
    },
    SmallTalk.THANKS: {
        "pt": "Por nada! Se precisar de mais alguma coisa, é só chamar.",
        "en": "You're welcome! If you need anything else, just write.",
    },
    SmallTalk.FAREWELL: {
        "pt": "Até logo! Se precisar, é só chamar.",
        "en": "Goodbye! If you need anything, just write.",
    },
}
_NOT_KNOWN: dict[Language, str] = {
    "pt": "Desculpe, não sei responder a isso. Posso ajudar com perguntas sobre a {business}.",
    "en": "Sorry, I don't know the answer to that. I can help with questions about {business}.",
}
_IN_ANOTHER_LANGUAGE: dict[Language, str] = {
    "pt": "Só tenho esta informação em outro idioma:",
    "en": "I only have this in another language:",
}


def reply_to(talk: SmallTalk, language: Language, business: str) -> str | None:
    """Return a friendly word; None where nothing is expected."""
    phrases = _SMALL_TALK.get(talk)
    return None if phrases is None else phrases[language].format(business=business)


def not_known(language: Language, business: str) -> str:
    """Say that the documents do not tell."""
    return _NOT_KNOWN[language].format(business=business)


def in_another_language(language: Language) -> str:
    """Excuse an answer that is not in the question's language."""
    return _IN_ANOTHER_LANGUAGE[language]
