"""The `lamina` command: what is installed, whether it is well, and the commands that plugins offer."""

from __future__ import annotations

import argparse
import difflib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict

from lamina_registry import (
    KINDS,
    AmbiguousName,
    Plugin,
    PluginError,
    UnknownName,
    catalog,
    known_names,
    shown,
)

SLOW_PLUGIN = 0.1  # seconds for plugin.py, which every program waits for
SLOW_IMPORT = 2.0  # seconds for all that a plugin offers


def main(argv: Sequence[str] | None = None) -> int:
    """Run `lamina NAME ...` and answer its exit status."""
    parser = argparse.ArgumentParser(
        "lamina", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", help="one of those below; `lamina NAME --help` tells more")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="what the command takes")
    given = list(sys.argv[1:] if argv is None else argv)
    if not given or given[0] in ("-h", "--help"):
        parser.epilog = "\n".join(["commands:", *(f"  {name:<10} {told}" for name, told in _overview())])
        given = ["--help"]
    arguments = parser.parse_args(given)
    try:
        run = _OWN.get(arguments.command) or catalog().find("commands", arguments.command)
        status: int = run(arguments.arguments) or 0
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # `lamina plugins list | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (UnknownName, AmbiguousName, PluginError) as error:
        print(f"lamina: {error}", file=sys.stderr)
        return 2


def plugins(argv: Sequence[str]) -> int:
    """list, explain and check the plugins"""
    parser = argparse.ArgumentParser("lamina plugins", description="List, explain and check the plugins.")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    action = actions.add_parser("list", help="every installed plugin and what it offers")
    action.add_argument("--json", action="store_true", help="for programs")
    action.set_defaults(run=lambda given: _list(given.json))
    action = actions.add_parser("why", help="where a name comes from, or what is wrong with a plugin")
    action.add_argument("name", help="a name such as Dense, or a plugin such as lamina-basic")
    action.set_defaults(run=lambda given: _why(given.name))
    action = actions.add_parser("check", help="import everything that the plugins offer, and time it")
    action.set_defaults(run=lambda given: _check())
    given = parser.parse_args(argv)
    status: int = given.run(given)
    return status


def doctor(argv: Sequence[str]) -> int:
    """versions, devices, kernels in use, broken plugins"""
    parser = argparse.ArgumentParser("lamina doctor", description="Tell what this installation is made of.")
    parser.parse_args(argv)
    import platform
    from importlib.metadata import version

    from lamina.devices import current_device, get_device
    from lamina.providers import providers_for

    packages = ("lamina-core", "lamina-registry", "numpy", "h5py", "pluggy")
    print(f"python    {platform.python_version()} on {platform.platform()}, {os.cpu_count()} cores")
    print(f"packages  {', '.join(f'{package} {version(package)}' for package in packages)}")
    settings = [f"{name}={shown(os.environ[name])}" for name in sorted(os.environ) if "LAMINA_" in name]
    print(f"settings  {', '.join(settings) or 'none in the environment'}")
    for name in ["cpu", *catalog().names("devices")]:
        try:
            print(f"device    {get_device(name).name}: ready")
        except Exception as error:
            print(f"device    {name}: unavailable, {error}")
    device = current_device()
    print(f"kernels   {', '.join(providers_for(device))} (on {device.name}, first choice first)")
    for plugin in catalog().plugins:
        print(f"plugin    {_state(plugin)}")
    return int(any(plugin.status == "broken" for plugin in catalog().plugins))


def _list(as_json: bool) -> int:
    if as_json:
        print(json.dumps([asdict(plugin) for plugin in catalog().plugins], indent=2))
        return 0
    for plugin in catalog().plugins:
        print(_state(plugin))
        for kind, names in plugin.offers.items():
            print(f"    {kind}: {', '.join(sorted(names))}")
    return 0


def _why(name: str) -> int:
    told = [*_about_plugins(name), *_about_names(name)]
    if told:
        print("\n".join(told))
        return 0
    every = {plugin.package for plugin in catalog().plugins}.union(*map(catalog().names, KINDS))
    close = ", ".join(difflib.get_close_matches(name, every))
    print(f"Nothing installed is called {shown(name)}." + (close and f" Close to it: {close}."))
    return 1


def _about_plugins(name: str) -> Iterator[str]:
    for plugin in catalog().plugins:
        if name in (plugin.name, plugin.package):
            yield f"{_state(plugin)}; its module is {plugin.home}"
            if plugin.traceback:
                yield plugin.traceback


def _about_names(name: str) -> Iterator[str]:
    for kind in KINDS:
        offers = catalog().offers(kind, name)
        for offer in offers:
            yield f"{kind}: {offer.name} is {offer.target}, offered by {offer.source}"
        if offers or name in known_names().get(kind, {}):
            try:
                catalog().find(kind, name)
            except (UnknownName, AmbiguousName, PluginError) as error:
                yield f"{kind}: {error}"


def _check() -> int:
    problems = 0
    for plugin in catalog().plugins:
        started = time.perf_counter()
        found = list(_problems(plugin))
        spent = time.perf_counter() - started
        if spent > SLOW_IMPORT:
            found.append(f"slow: importing what it offers took {spent:.1f} s")
        problems += len(found)
        names = sum(map(len, plugin.offers.values()))
        print(f"{_state(plugin)}: {names} names, imported in {spent * 1e3:.0f} ms")
        for problem in found:
            print(f"    {problem}")
    print(f"{problems} problem{'s' * (problems > 1)}" if problems else "all is well")
    return int(problems > 0)


def _problems(plugin: Plugin) -> Iterator[str]:
    if plugin.status == "broken":
        yield f"`lamina plugins why {plugin.package}` shows the traceback"
    if plugin.seconds > SLOW_PLUGIN:
        yield f"slow: its plugin module took {plugin.seconds:.2f} s; it should import nothing but hookimpl"
    for kind, names in plugin.offers.items():
        for name in names:
            try:
                catalog().find(kind, f"{plugin.package}>{name}")
                catalog().offer(kind, name)
            except (AmbiguousName, PluginError) as error:
                yield str(error)


def _state(plugin: Plugin) -> str:
    reason = f", {plugin.reason}" if plugin.reason else ""
    return f"{plugin.package} {plugin.version} ({plugin.name}): {plugin.status}{reason}"


def _overview() -> Iterator[tuple[str, str]]:
    for name in sorted({*_OWN, *catalog().names("commands")}):
        try:
            run = _OWN.get(name) or catalog().find("commands", name)
            yield name, (run.__doc__ or "").strip().partition("\n")[0]
        except (AmbiguousName, PluginError) as error:
            yield name, str(error)


_OWN: dict[str, Callable[[Sequence[str]], int | None]] = {"doctor": doctor, "plugins": plugins}


if __name__ == "__main__":
    sys.exit(main())
