"""Snake: an activation for periodic signals, as an op with its gradient and as a layer that learns its frequency."""

from lamina import backend as K
from lamina import initializers
from lamina.layers import Layer
from lamina.op import elementwise


@elementwise(result="float")
def snake(xp, x, frequency):
    """x + sin(frequency * x)^2 / frequency, elementwise; the shapes broadcast.

    Source: Ziyin, Hartwig and Ueda 2020, arXiv:2006.08195, eq. 3.
    """
    return x + xp.square(xp.sin(frequency * x)) / frequency


@snake.vjp
def _(g, y, x, frequency):
    # Written with ops, so it can be differentiated again; sums over what was repeated are added where needed.
    s = K.sin(2 * frequency * x)
    return g * (1 + s), g * (x * s - (y - x)) / frequency


class Snake(Layer):
    """f(x) = x + sin(a x)^2 / a, with a learned for each channel.

    Input:   (batch, d1, ..., channels), float.
    Output:  the same shape and dtype; the mask passes through.
    Weights: frequency, (channels,).

    frequency_initializer: initializer, name or config for a, in radians per unit of x; a != 0.  Default ones.

    Raises ValueError in build when the number of channels is unknown.
    Source: Ziyin, Hartwig and Ueda 2020, arXiv:2006.08195, eq. 3.
    """

    supports_masking = True

    def __init__(self, frequency_initializer="ones", **kwargs):
        super().__init__(**kwargs)
        self.frequency_initializer = initializers.get(frequency_initializer)

    def build(self, input_shape):
        channels = input_shape[-1]
        if channels is None:
            raise ValueError(
                f"{self.name} keeps one frequency per channel, and the last axis of {input_shape} has no fixed size"
            )
        self.frequency = self.add_weight("frequency", (channels,), initializer=self.frequency_initializer)
        super().build(input_shape)

    def call(self, inputs):
        return snake(inputs, self.frequency)
