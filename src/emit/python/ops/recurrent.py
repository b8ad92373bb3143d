"""Twins of src/ops/recurrent.cpp: one layer, one direction, time first."""
import mlx.core as mx


# "elu:0.5" -> a function; `clip` bounds what goes in.
def _gate_function(text, clip=0.0):
    name, *values = text.split(":")
    values = [float(v) for v in values]
    a = values[0] if values else {"affine": 1.0, "leaky_relu": 0.01, "thresholded_relu": 1.0, "elu": 1.0, "hard_sigmoid": 0.2, "scaled_tanh": 1.0}.get(name, 0.0)
    b = values[1] if len(values) > 1 else {"hard_sigmoid": 0.5, "scaled_tanh": 1.0}.get(name, 0.0)
    functions = {
        "sigmoid": mx.sigmoid,
        "tanh": mx.tanh,
        "relu": lambda x: mx.maximum(x, 0),
        "softsign": lambda x: x / (mx.abs(x) + 1),
        "softplus": lambda x: mx.logaddexp(x, mx.zeros_like(x)),
        "affine": lambda x: x * a + b,
        "leaky_relu": lambda x: mx.where(x < 0, x * a, x),
        "thresholded_relu": lambda x: mx.where(x > a, x, 0),
        "elu": lambda x: mx.where(x < 0, mx.expm1(x) * a, x),
        "hard_sigmoid": lambda x: mx.clip(x * a + b, 0, 1),
        "scaled_tanh": lambda x: mx.tanh(x * b) * a,
    }
    f = functions[name]
    return f if clip <= 0 else lambda x: f(mx.clip(x, -clip, clip))


# All steps' x W^T + b in one product.
def _projected(x, weight, bias):
    y = _product(_widen(x), _widen(weight).T)
    return y if bias is None else y + bias.astype(y.dtype)


# Runs step(projected input, states) -> states over time; states[0] is the output.
def _scan(inputs, states, lengths, reverse, dtype, step):
    times = inputs.shape[0]
    outputs = [None] * times
    for i in _range(times):
        t = times - 1 - i if reverse else i
        new = step(inputs[t], states)
        outputs[t] = new[0]
        if lengths is not None:
            alive = (lengths > t)[:, None]
            outputs[t] = mx.where(alive, new[0], 0)
            new = [mx.where(alive, n, s) for n, s in zip(new, states)]
        states = new
    y = mx.stack(outputs) if times else mx.zeros([0, *states[0].shape], states[0].dtype)
    return [v.astype(dtype) for v in (y, *states)]


def lstm(x, h, c, w_ih, w_hh, bias=None, peephole=None, lengths=None, reverse=False,
         activations=("sigmoid", "tanh", "tanh"), clip=0.0, input_forget=False):
    f, g = _gate_function(activations[0], clip), _gate_function(activations[1], clip)
    last = _gate_function(activations[2])
    recurrent = _widen(w_hh).T
    peeps = [0, 0, 0] if peephole is None else mx.split(_widen(peephole), 3)

    def step(row, states):
        hidden, cell = states
        i, forget, new, out = mx.split(row + hidden @ recurrent, 4, axis=-1)
        i = f(i + peeps[0] * cell)
        forget = 1 - i if input_forget else f(forget + peeps[2] * cell)
        cell = forget * cell + i * g(new)
        out = f(out + peeps[1] * cell)
        return [out * last(cell), cell]

    return _scan(_projected(x, w_ih, bias), [_widen(h), _widen(c)], lengths, reverse, x.dtype, step)


def gru(x, h, w_ih, w_hh, bias_ih=None, bias_hh=None, lengths=None, reverse=False, linear_before_reset=True,
        activations=("sigmoid", "tanh"), clip=0.0):
    f, g = _gate_function(activations[0], clip), _gate_function(activations[1], clip)
    recurrent = mx.split(_widen(w_hh).T, 3, axis=-1)
    biases = [0, 0, 0] if bias_hh is None else mx.split(bias_hh.astype(recurrent[0].dtype), 3)

    def step(row, states):
        hidden = states[0]
        row_r, row_z, row_n = mx.split(row, 3, axis=-1)
        r = f(row_r + (hidden @ recurrent[0] + biases[0]))
        z = f(row_z + (hidden @ recurrent[1] + biases[1]))
        if linear_before_reset:
            pull = r * (hidden @ recurrent[2] + biases[2])
        else:
            pull = (r * hidden) @ recurrent[2] + biases[2]
        return [(1 - z) * g(row_n + pull) + z * hidden]

    return _scan(_projected(x, w_ih, bias_ih), [_widen(h)], lengths, reverse, x.dtype, step)


def rnn(x, h, w_ih, w_hh, bias=None, lengths=None, reverse=False, activation="tanh", clip=0.0):
    f, recurrent = _gate_function(activation, clip), _widen(w_hh).T
    return _scan(_projected(x, w_ih, bias), [_widen(h)], lengths, reverse, x.dtype, lambda row, states: [f(row + states[0] @ recurrent)])
