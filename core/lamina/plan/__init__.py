"""Plans: a function made ready to run for one set of shapes, one learning phase and one device.

`rewrite` makes the graph concrete and small, `pack` lays updated variables side by side, `fuse` joins elementwise
chains into steps, `place` gives every value its memory, and `executor` binds the steps to arrays.
"""

from lamina.plan.executor import Executor, Plan

__all__ = ["Executor", "Plan"]
