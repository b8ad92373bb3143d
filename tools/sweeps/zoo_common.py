"""What the zoos share: weights that hide nothing, example inputs, trying inputs out."""
import torch


class Skip(Exception):
    """The model cannot be built or run here: no statement about us."""


def randomize(model, seed=0):
    """Random weights that are never degenerate: a parameter whose elements are all equal (zero-initialised projections,
    layer scales, norms) is perturbed, and running statistics of norms are drawn, so that no layer can be wrong unseen."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.is_floating_point() and parameter.numel() and bool((parameter == parameter.flatten()[0]).all()):
                parameter.add_(torch.randn(parameter.shape, generator=generator).to(parameter.dtype) * 0.1)
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(torch.randn(buffer.shape, generator=generator) * 0.1)
            elif name.endswith("running_var"):
                buffer.copy_(torch.rand(buffer.shape, generator=generator) + 0.5)
    return model.eval()


def calibrate(model, args, kwargs):
    """One run in which every batch norm is scaled to what it is given: signals keep their size through the layers, as in a
    trained model. With drawn statistics they explode or fade, and float32 itself is no longer good for 1e-3. Mean and
    variance are those of all channels together, on which what was drawn for a channel rides: a channel that hardly varies
    would be blown up to its rounding errors by statistics of its own."""
    def scale(norm, inputs):
        x = inputs[0].float()
        mean, var = x.mean(), x.var(correction=0) + 1e-6
        norm.running_mean.mul_(var.sqrt()).add_(mean)
        norm.running_var.mul_(var)

    hooks = [m.register_forward_pre_hook(scale) for m in model.modules()
             if all(isinstance(getattr(m, n, None), torch.Tensor) for n in ("running_mean", "running_var"))]
    try:
        run(model, args, kwargs)
    finally:
        for hook in hooks:
            hook.remove()


def noise(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def tensors_in(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif hasattr(value, "items"):
        for item in value.values():
            yield from tensors_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors_in(item)


def run(model, args, kwargs):
    with torch.no_grad():
        result = model(*args, **kwargs)
    for tensor in tensors_in(result):
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise Skip("the original itself gives NaN or infinities")
    return result


def first_that_runs(model, candidates):
    """The first example inputs that the model accepts."""
    reason = "no candidate inputs"
    for args, kwargs in candidates:
        try:
            run(model, args, kwargs)
            calibrate(model, args, kwargs)
            return args, kwargs
        except Skip:
            raise
        except Exception as error:  # a size that does not fit this architecture
            reason = f"{type(error).__name__}: {error}"
    raise Skip(f"no example inputs fit: {reason[:300]}")
