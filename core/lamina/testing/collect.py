"""parametrize_*: cases times checks times devices, as tests of pytest."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from lamina.devices import device as on_device
from lamina.devices import get_device
from lamina.testing import common, functions, layers, optimizers, parts
from lamina.testing.case import Case
from lamina_registry import names

Check = Callable[[Case], None]

_collected: list[Case] = []


PROMISES: dict[str, tuple[Check, ...]] = {
    "layers": (
        layers.check_config,
        layers.check_shape,
        common.check_dtype,
        common.check_gradient,
        common.check_reference,
        layers.check_mask,
        layers.check_weights,
        layers.check_save,
        layers.check_data_format,
        common.check_empty,
        common.check_single,
        common.check_threads,
        common.check_imports,
    ),
    "activations": (
        functions.check_name,
        functions.check_shape,
        common.check_dtype,
        common.check_gradient,
        common.check_second_gradient,
        common.check_reference,
        functions.check_extremes,
        common.check_empty,
        common.check_single,
        common.check_threads,
        common.check_imports,
    ),
    "losses": (
        functions.check_name,
        functions.check_reduction,
        common.check_dtype,
        common.check_gradient,
        common.check_reference,
        functions.check_finite,
        common.check_empty,
        common.check_single,
        common.check_threads,
        common.check_imports,
    ),
    "metrics": (
        functions.check_name,
        functions.check_reduction,
        common.check_dtype,
        common.check_reference,
        common.check_empty,
        common.check_single,
        common.check_threads,
        common.check_imports,
    ),
    "ops": (
        functions.check_shape,
        common.check_dtype,
        common.check_gradient,
        common.check_second_gradient,
        common.check_reference,
        functions.check_plan,
        functions.check_kernels,
        common.check_empty,
        common.check_threads,
        common.check_imports,
    ),
    "initializers": (parts.check_config, parts.check_values, parts.check_seed, common.check_imports),
    "regularizers": (
        parts.check_config,
        parts.check_scalar,
        common.check_dtype,
        common.check_gradient,
        common.check_reference,
        common.check_imports,
    ),
    "constraints": (
        parts.check_config,
        parts.check_projection,
        parts.check_zeros,
        common.check_dtype,
        common.check_reference,
        common.check_imports,
    ),
    "optimizers": (
        optimizers.check_config,
        optimizers.check_state,
        optimizers.check_descent,
        optimizers.check_dtype,
        optimizers.check_constraint,
        optimizers.check_zero_gradient,
        optimizers.check_reference,
        common.check_imports,
    ),
}
"""The promises of each kind: functions of a case that raise AssertionError where it is not kept."""


def checks(case: Case) -> list[Check]:
    """The promises that the case can be held to."""
    return [check for check in PROMISES[case.kind] if getattr(check, "applies", lambda case: True)(case)]


def collected() -> list[Case]:
    """Every case given to parametrize_* so far."""
    return list(_collected)


def devices() -> list[str]:
    """The devices present: "cpu", and those that plugins offer and this machine has."""
    return ["cpu", *(name for name in names("devices") if name != "cpu" and _present(name))]


def parametrize_layers(*cases: Case) -> Any:
    """Decorator: test(case, check) for each case and promise of a layer, on each device."""
    return _parametrize("layers", cases)


def parametrize_activations(*cases: Case) -> Any:
    """Decorator: test(case, check) for each case and promise of an activation function, on each device."""
    return _parametrize("activations", cases)


def parametrize_ops(*cases: Case) -> Any:
    """Decorator: test(case, check) for each case and promise of an op or function of tensors, on each device."""
    return _parametrize("ops", cases)


def parametrize_losses(*cases: Case) -> Any:
    """Decorator: test(case, check) for each case and promise of a loss function, on each device."""
    return _parametrize("losses", cases)


def parametrize_metrics(*cases: Case) -> Any:
    """Decorator: test(case, check) for each case and promise of a metric function, on each device."""
    return _parametrize("metrics", cases)


def parametrize_initializers(*cases: Case) -> Any:
    """Decorator: test(case, check) for each case and promise of an initializer, on each device."""
    return _parametrize("initializers", cases)


def parametrize_regularizers(*cases: Case) -> Any:
    """Decorator: test(case, check) for each case and promise of a regularizer, on each device."""
    return _parametrize("regularizers", cases)


def parametrize_constraints(*cases: Case) -> Any:
    """Decorator: test(case, check) for each case and promise of a constraint, on each device."""
    return _parametrize("constraints", cases)


def parametrize_optimizers(*cases: Case) -> Any:
    """Decorator: test(case, check) for each case and promise of an optimizer, on each device."""
    return _parametrize("optimizers", cases)


def _parametrize(kind: str, cases: tuple[Case, ...]) -> Any:
    import pytest  # a dependency of tests, not of lamina-core

    cases = tuple(dataclasses.replace(case, kind=kind) for case in cases)
    _collected.extend(cases)
    return pytest.mark.parametrize(("case", "check"), list(_parameters(cases, pytest)))


def _parameters(cases: tuple[Case, ...], pytest: Any) -> Iterator[Any]:
    for case in cases:
        kept = checks(case)
        unknown = case.fails.keys() - {check.__name__ for check in kept}
        if unknown:
            raise ValueError(
                f"{case}: fails names {', '.join(sorted(unknown))}; the checks that apply to it are "
                f"{', '.join(check.__name__ for check in kept)}"
            )
        for device in devices():
            for check in kept:
                reason = case.fails.get(check.__name__)
                yield pytest.param(
                    case,
                    _on(device, check),
                    id=f"{case}-{check.__name__.removeprefix('check_')}"
                    + (f"-{device}" if device != "cpu" else ""),
                    marks=[pytest.mark.xfail(strict=True, reason=reason)] if reason else [],
                )


def _on(device: str, check: Check) -> Check:
    def run(case: Case) -> None:
        with on_device(device):
            check(case)

    run.__name__ = check.__name__
    run.__doc__ = check.__doc__
    return run


def _present(name: str) -> bool:
    try:
        get_device(name)
    except Exception:
        return False
    return True
