"""Words as they are compared: without case, accents and endings, in Portuguese and English alike.

A contact writes "voces abrem domingo", "Vocês ABREM aos domingos?" or "are you open on sundays"; a
document says it in its own way. One light stemmer for both languages needs no guess at which it is.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final, Literal

Language = Literal["pt", "en"]

_WORD = re.compile(r"[^\W_]+")

# Said in any question whatever it is about: articles, pronouns, prepositions, and verbs of asking.
_PORTUGUESE: Final = frozenset(
    """
    a o as os um uma uns umas de do da dos das no na nos nas em ao aos num numa pelo pela pelos
    pelas para pra pro pras pros por com sem sobre entre ate desde e ou mas que se como quando
    onde aonde qual quais quem quanto quanta quantos quantas porque pois eu tu ele ela nos eles
    elas voce voces vc vcs me te lhe meu minha meus minhas seu sua seus suas nosso nossa este
    esta esse essa isso isto aquele aquela aqui ai la ali ja so mais menos muito muita bem
    tambem nao sim tem tenho temos tinha ter ha houve haver sou es somos sao era ser estar estou
    esta estao foi vai vou vao ir indo faz fazem fazer faco pode podem posso podemos poder quer
    quero queria queremos querer gostaria gostariam saber sabe sabem dizer diz falar fala dar da
    deu dao consigo consegue conseguem preciso precisa precisam levar levo trazer ver existe
    existem rola tipo algum alguma alguns algumas todo toda todos todas cada outro outra favor
    gentileza moco moca amigo amiga oi ola bom boa dia tarde noite tudo obrigado obrigada gente
    hoje agora amanha ontem ajudar ajuda duvida pergunta informacao informar algo nada filho
    filha filhos mae pai marido esposa comer beber comprar perto mim nois costuma costumam ainda
    depois antes entao durante mandar mando enviar envio possa possam passa passar passe deixar
    deixo deixa sentar ficar hora horas pessoa pessoas assim qualquer coisa
    """.split()  # noqa: SIM905 - a list of words is read best as a text
)
_ENGLISH: Final = frozenset(
    """
    a an the i you he she it we they me my your yours our us them their this that these those
    there here is are am was were be been being do does did doing done have has had having can
    could will would shall should may might must not no yes of to in on at for from with without
    by about into over and or but if then so as than too very just also any some all each other
    what which who whom whose when where why how much many please want wants wanted like need
    needs know tell say get got give take bring let go going make makes made see ask hi hello
    hey good morning afternoon evening night thanks thank guys sir son daughter kid kids wife
    husband mother father eat nearby near buy enough far long leave left sit time times people
    person today tomorrow yesterday now help question information still anything something
    someone re ve ll m s t d im id
    """.split()  # noqa: SIM905 - as above
)
_STOP_WORDS: Final = _PORTUGUESE | _ENGLISH
_ASKING_FOR_A_PLACE: Final = frozenset(("onde", "aonde", "where"))

_PLURALS = (
    ("coes", "cao"),
    ("oes", "ao"),
    ("aes", "ao"),
    ("ais", "al"),
    ("eis", "el"),
    ("ies", "y"),
)
_ENDINGS = sorted(
    """
    amento imento amentos mente acao icao idade aria eria ario avel ivel inho inha zinho zinha
    aram eram iram avam ando endo indo ado ada ido ida amos emos imos ar er ir am em ou a e o
    ing ings ed ment ments ery ly y
    """.split(),  # noqa: SIM905 - as above
    key=len,
    reverse=True,
)
_SHORTEST_STEM = 3


def fold(text: str) -> str:
    """Take away case and accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def words(text: str) -> list[str]:
    """Return the words of a text, folded, in order."""
    return _WORD.findall(fold(text))


def stems(text: str) -> set[str]:
    """Return what a text is about: its words but those that any text has, without their endings."""
    return {stem(word) for word in words(text) if not _says_nothing(word)}


def stems_asked(question: str) -> set[str]:
    """Return what a question is about; of "where are you?" that is the place."""
    return stems(question) or _places(question)


def stems_told(text: str) -> set[str]:
    """Return what a text is about, in the words of any question that it may answer."""
    return stems(text) | _places(text)


def stem(word: str) -> str:
    """Cut the ending off a folded word: no linguist's stem, but one for most forms of the word."""
    singular = _singular(word)
    for ending in _ENDINGS:
        if singular.endswith(ending) and len(singular) - len(ending) >= _shortest_before(ending):
            return singular.removesuffix(ending)
    return singular


def language_of(text: str) -> Language | None:
    """Tell which language the small words of a text belong to; None where they do not say."""
    portuguese = sum(1 for word in _small_words(text) if word not in _ENGLISH)
    english = sum(1 for word in _small_words(text) if word not in _PORTUGUESE)
    if portuguese == english:
        return None
    return "pt" if portuguese > english else "en"


def _says_nothing(word: str) -> bool:
    return word.isdigit() or word in _STOP_WORDS or _singular(word) in _STOP_WORDS


def _places(text: str) -> set[str]:
    return set(words(text)) & _ASKING_FOR_A_PLACE


def _small_words(text: str) -> Iterator[str]:
    return (word for word in words(text) if word in _STOP_WORDS)


def _shortest_before(ending: str) -> int:
    return _SHORTEST_STEM + 1 if ending == "er" else _SHORTEST_STEM  # in "order" it is none


def _singular(word: str) -> str:
    for plural, singular in _PLURALS:
        if word.endswith(plural) and len(word) > len(plural):
            return word.removesuffix(plural) + singular
    if word.endswith("s") and not word.endswith("ss") and len(word) > _SHORTEST_STEM:
        return word[:-1]
    return word
