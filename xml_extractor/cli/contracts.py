"""The `contracts` command: the contracts that come with the package."""

import json

import click

from xml_extractor.cli.boundary import say
from xml_extractor.cli.help import command


@command("contracts", "ubl_invoice")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list of contracts, or the contract itself.")
def contracts_command(name: str | None, *, as_json: bool) -> None:
    """List the shipped contracts, or print one.

    NAME is a shipped contract. To change it, save its text in a file and name that file in --contract.
    """
    from xml_extractor.contract.reading import check_text, shipped_contracts, shipped_text
    from xml_extractor.contract.yaml_text import YamlText

    if name:
        text = shipped_text(name)
        data = YamlText(name, text).data if as_json else None
        click.echo(json.dumps(data, indent=2, ensure_ascii=False, default=float) if as_json else text.rstrip("\n"))
        return
    read = (check_text(f"{each}.yaml", shipped_text(each))[0] for each in shipped_contracts())
    contracts = [each for each in read if each is not None]
    if as_json:
        keys = ("name", "version", "description", "tables")
        rows = [(each.contract, each.version, each.description, list(each.tables)) for each in contracts]
        click.echo(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=2, ensure_ascii=False))
        return
    width = max(len(each.contract) for each in contracts)
    for each in contracts:
        say(f"{each.contract:<{width}}  version {each.version}  {each.description}")
