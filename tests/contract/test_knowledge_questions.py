"""Twenty fixed questions to the sample bakery: fifteen it can answer, five it must not.

On SQLite and on Postgres as the serving role. Fewer right answers could be borne (twelve), a false
one could not.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from common.accounts import SecretCipher
from common.events import Channel
from common.ids import new_id
from processor import sample
from processor.assistant import Said, TurnContext
from processor.assistant.knowledge_assistant import KnowledgeAssistant
from processor.seed_sample import SeedSample
from tests.contract.processor_world import BOTH, World, open_world

QUESTIONS = {
    "Vocês abrem domingo?": "domingos e feriados, das 7h às 13h",
    "Até que horas vocês ficam abertos durante a semana?": "das 6h30 às 20h",
    "Onde fica a padaria?": "Rua das Jabuticabeiras, 218",
    "Dá para estacionar aí perto?": "vagas gratuitas",
    "Vocês entregam em casa? Qual é a taxa?": "R$ 7",
    "Com quanta antecedência preciso encomendar um bolo de aniversário?": "48 horas",
    "Vocês têm alguma coisa sem glúten?": "pão de queijo, bolo de fubá",
    "Aceitam Pix ou só cartão?": "Aceitamos Pix",
    "Como faço para mandar meu currículo?": "vagas@padariaestrela.example",
    "Are you open on Sundays?": "on Sundays and public holidays from 7 am to 1 pm",
    "Can I bring my dog?": "Your dog is welcome",
    "Is there Wi-Fi, and what is the password?": "free Wi-Fi",
    "My daughter is allergic to peanuts, can she eat there?": "peanuts and tree nuts",
    "Could you cater for an office party of 40 people?": "company events",
    "What time does fresh bread come out of the oven?": "6:30 am, 9 am, noon",
}
OFF_TOPIC = (
    "Quem ganhou a Copa do Mundo de 1994?",
    "Qual é a previsão do tempo para domingo?",
    "Você pode me ajudar com a declaração do imposto de renda?",
    "What is the capital of Mongolia?",
    "Can you recommend a good dentist?",
)
NOT_KNOWN = ("não sei responder", "I don't know")


@pytest.fixture(params=BOTH)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(request, tmp_path) as world:
        await seed(world)
        yield world


async def seed(world: World) -> bool:
    seed_sample = SeedSample(world.owner, SecretCipher({"k1": os.urandom(32)}))
    return await seed_sample(
        account_sid="AC" + "0" * 32,
        auth_token=SecretStr("a" * 32),
        senders=("whatsapp:+551140028922",),
    )


async def ask(world: World, *unanswered: str, history: tuple[Said, ...] = ()) -> str | None:
    turn = TurnContext(
        tenant=sample.TENANT,
        conversation=new_id(),
        contact=new_id(),
        turn=new_id(),
        correlation=new_id(),
        channel=Channel.WHATSAPP,
        business=sample.NAME,
        language="pt",
        history=history,
        unanswered=unanswered,
    )
    return (await KnowledgeAssistant(world.database).answer(turn)).text


async def test_the_fifteen_questions_about_the_bakery_are_answered(world: World) -> None:
    answers = {question: await ask(world, question) for question in QUESTIONS}

    wrong = {q: answers[q] for q, told in QUESTIONS.items() if told not in str(answers[q])}
    assert wrong == {}


async def test_the_five_questions_about_anything_else_are_not(world: World) -> None:
    answers = {question: str(await ask(world, question)) for question in OFF_TOPIC}

    answered = {q: text for q, text in answers.items() if not _is_honest(text)}
    assert answered == {}


async def test_not_knowing_is_said_in_the_language_of_the_question(world: World) -> None:
    assert "não sei" in str(await ask(world, "Quem ganhou a Copa de 1994?"))
    assert "don't know" in str(await ask(world, "Who won the 1994 World Cup?"))


async def test_a_question_without_a_language_is_answered_in_that_of_the_talk(world: World) -> None:
    english = (Said("contact", "Hello, do you have a shop in São Paulo?"), Said("us", "Yes"))

    assert "Aceitamos Pix" in str(await ask(world, "Pix?"))
    assert "We accept Pix" in str(await ask(world, "Pix?", history=english))


async def test_a_greeting_gets_a_greeting(world: World) -> None:
    assert "Padaria Estrela" in str(await ask(world, "Oi!"))
    assert "How can I help" in str(await ask(world, "hello"))
    assert "Por nada" in str(await ask(world, "Muito obrigado!"))


async def test_a_thumb_up_needs_no_reply(world: World) -> None:
    assert await ask(world, "\N{THUMBS UP SIGN}") is None


async def test_two_questions_in_a_burst_get_both_answers(world: World) -> None:
    answer = str(await ask(world, "oi, bom dia", "vocês abrem domingo?", "aceitam pix?"))

    assert "domingos e feriados" in answer
    assert "Aceitamos Pix" in answer


async def test_two_questions_in_one_message_get_both_answers(world: World) -> None:
    answer = str(await ask(world, "Bom dia! Vocês abrem domingo? E tem estacionamento?"))

    assert "domingos e feriados" in answer
    assert "vagas gratuitas" in answer


async def test_a_question_written_in_pieces_is_understood_as_a_whole(world: World) -> None:
    answer = str(await ask(world, "queria encomendar", "com uma certa antecedência", "um bolo"))

    assert "48 horas" in answer


async def test_another_tenants_documents_are_not_searched(world: World) -> None:
    turn_of_another = await ask(world, "Vocês abrem domingo?")
    await world.receive("Vocês abrem domingo?")

    await world.run_turns(KnowledgeAssistant(world.database))

    assert turn_of_another is not None
    assert await world.replies() == [
        "Desculpe, não sei responder a isso. Posso ajudar com perguntas sobre a Padaria."
    ]


async def test_the_sample_is_seeded_once(world: World) -> None:
    assert await seed(world) is False


@pytest.mark.parametrize("text", ["", "'", '"', "AND OR NOT NEAR(", "a:b*", "&|!()<->", "%_\\"])
async def test_what_means_something_to_a_search_means_nothing_in_a_question(
    world: World, text: str
) -> None:
    answer = await ask(world, f"domingo {text}")

    assert answer is not None


def _is_honest(text: str) -> bool:
    return any(words in text for words in NOT_KNOWN)
