"""Packs the template into the wheel and the source distribution of lamina-new."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class TemplateHook(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        template = Path(self.root).parents[2] / "contrib_template"
        # A wheel built from a source distribution has no repository around it: the template is in the package by then.
        if version == "standard" and not (Path(self.root) / "lamina_new/template").is_dir():
            build_data["force_include"][str(template)] = "lamina_new/template"
