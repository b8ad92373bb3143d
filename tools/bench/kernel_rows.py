"""Single functions beside PyTorch."""
from core import Goal, Row, Work
from peers import export_pt2, gflop_of, prepare_torch, torch_peer


def module_of(function, weights):
    import torch

    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            for i, value in enumerate(weights):
                self.register_buffer(f"w{i}", value)

        def forward(self, *xs):
            return function(*xs, *(getattr(self, f"w{i}") for i in range(len(weights))))
    return Module().eval()


def function_row(name, function, shapes, goal, weights=0, gbyte=0):
    """function(torch.nn.functional, tensors...); the last `weights` of the tensors belong to the module."""
    def prepare(folder, setting):
        import torch
        prepare_torch(setting.threads)
        values = [torch.randn(shape) for shape in shapes]
        split = len(values) - weights
        module = module_of(lambda *xs: function(torch.nn.functional, *xs), values[split:])
        arguments = tuple(values[:split])
        path, inputs = export_pt2(module, arguments, folder)
        return Work(path, [], inputs, [torch_peer(module, arguments)], gbyte=gbyte,
                    gflop=0 if gbyte else gflop_of(module, arguments))
    return Row(name, "kernels", Goal(goal), prepare)


def rows():
    def attention(F, q, k, v):
        return F.scaled_dot_product_attention(q, k, v)
    square = (1024, 1024)
    cached = (1, 16, 4096, 64)
    return [
        *(function_row(f"matmul {n}", lambda F, x, w: x @ w, [(n, n), (n, n)], 0.95, weights=1) for n in (512, 1024, 2048)),
        function_row("conv2d 64->64 3x3 at 64x64", lambda F, x, w: F.conv2d(x, w, padding=1),
                     [(1, 64, 64, 64), (64, 64, 3, 3)], 0.95, weights=1),
        function_row("conv1d 512->512 k3 at 1000", lambda F, x, w: F.conv1d(x, w, padding=1),
                     [(1, 512, 1000), (512, 512, 3)], 0.95, weights=1),
        function_row("attention 16 x 512 x 64", attention, [(1, 16, 512, 64)] * 3, 1.2),
        function_row("attention decode against 4096", attention, [(1, 16, 1, 64), cached, cached], 1.2,
                     gbyte=2 * 4 * 16 * 4096 * 64 / 1e9),
        function_row("softmax 1024 x 1024", lambda F, x: F.softmax(x, -1), [square], 1.0),
        function_row("layer norm 1024 x 1024", lambda F, x, w, b: F.layer_norm(x, (1024,), w, b),
                     [square, (1024,), (1024,)], 1.0, weights=2),
        function_row("GELU 1M", lambda F, x: F.gelu(x), [square], 1.0),
        function_row("exp 1M", lambda F, x: x.exp(), [square], 1.0),
    ]
