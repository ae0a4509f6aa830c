"""What lamina-new offers."""

from lamina_registry import hookimpl

API = 1


@hookimpl
def commands():
    return {"new": "lamina_new.command:main"}
