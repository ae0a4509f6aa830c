"""Commands by name."""

from lamina_registry import hookimpl

API = 1


@hookimpl
def commands():
    return {"demo": "lamina_demo.demo:main"}
