"""The `recado` command."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from common.errors import DependencyDown, StartError
from recado import deadletters_verbs, jobs_verbs, operator_verbs, reference
from recado import dev as development
from recado.development import development_secrets
from recado.say import elsewhere, running
from recado.say import say as write_and_wait
from recado.settings import PROCESSES
from recado.whereabouts import Whereabouts

app = typer.Typer(help="Recado: WhatsApp and SMS, answered.", no_args_is_help=True)
tenants = typer.Typer(help="The businesses that Recado answers for.", no_args_is_help=True)
accounts = typer.Typer(help="The Twilio accounts of the tenants.", no_args_is_help=True)
app.add_typer(tenants, name="tenants")
app.add_typer(accounts, name="accounts")
app.add_typer(deadletters_verbs.app, name="deadletters")
app.add_typer(jobs_verbs.app, name="jobs")

Data = Annotated[Path, typer.Option(help="The folder that keeps everything.")]


@app.command()
def dev(
    port: Annotated[int, typer.Option(help="The one port; 0 takes a free one.")] = 8080,
    data: Data = Path("var"),
    simulator: Annotated[
        str | None, typer.Option(help="Address of a simulator that runs already.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Whoever reaches this address can write as any customer.")
    ] = development.LOOPBACK,
    public_url: Annotated[
        str | None, typer.Option(help="Where the simulator posts webhooks, if not straight here.")
    ] = None,
) -> None:
    """Run everything in one process on SQLite, with a simulated Twilio and a phone."""
    development.start(
        host=host, port=port, data=data, simulator_url=simulator, public_url=public_url
    )


@app.command()
def say(
    text: str,
    contact: Annotated[
        str, typer.Option("--from", help="The customer's number.")
    ] = "whatsapp:+5511999990001",
    data: Data = Path("var"),
    within: Annotated[float, typer.Option(help="Seconds to wait for the reply.")] = 20.0,
    *,
    simulator: Annotated[
        str | None, typer.Option(help="Address of the simulator, where `data` is out of reach.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write as a customer through the running simulator, and print the reply."""
    place = elsewhere(simulator) if simulator else running(data)
    said = asyncio.run(write_and_wait(text, place, contact=contact, within=within))
    if as_json:
        print(json.dumps({"replies": said.replies, "seconds": said.seconds}, ensure_ascii=False))
    for reply in () if as_json else said.replies:
        print(reply)
    if not said.replies:
        print(f"No reply came in {within:g} s.", file=sys.stderr)
        raise typer.Exit(1)


@app.command()
def migrate() -> None:
    """Bring the database to the newest shape, as its owner."""
    asyncio.run(operator_verbs.migrate())


@tenants.command("add")
def add_tenant(
    name: str,
    language: Annotated[Literal["pt", "en"], typer.Option(help="Of its assistant.")] = "pt",
    model: Annotated[
        str | None, typer.Option(help="`provider:model` that answers, instead of the default.")
    ] = None,
    model_url: Annotated[
        str | None, typer.Option(help="A server to ask instead of the provider's own.")
    ] = None,
) -> None:
    """Add a tenant and print its id."""
    added = operator_verbs.add_tenant(name, language, model=model, model_url=model_url)
    print(asyncio.run(added))


@accounts.command("add")
def add_account(
    tenant: str,
    account_sid: str,
    sender: Annotated[list[str], typer.Option(help="Our number, as in whatsapp:+551140028922.")],
    auth_token: Annotated[
        str, typer.Option(prompt=True, hide_input=True, envvar="TWILIO_AUTH_TOKEN")
    ],
) -> None:
    """Add a tenant's Twilio account and print its id, which the webhook's address carries."""
    print(asyncio.run(operator_verbs.add_account(tenant, account_sid, sender, auth_token)))


@app.command("sample")
def seed_sample(
    gateway_url: str,
    simulator_url: str,
    data: Data = Path("var"),
) -> None:
    """Add the sample business to separate services and a simulator that run already."""
    place = Whereabouts(gateway_url, simulator_url, data, development_secrets(data))
    asyncio.run(operator_verbs.seed_sample(place))
    print(f"The phone is at {simulator_url}/phone.")


@app.command("reference", hidden=True)
def write_reference(root: Path = Path()) -> None:
    """Write the pages of the documentation that the code knows."""
    for page in reference.write_pages(root, PROCESSES):
        print(page)


def main() -> None:
    """Run the command; what a person can mend is said in a sentence, with exit code 2."""
    try:
        app()
    except (StartError, DependencyDown) as error:
        print(error, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
