"""Cases of resize, signal, quantize and detection."""
import torch
import torch.nn.functional as F

from nn_ops import Family, Kind, Real, onnx_run, rand, reference_run


def resize():
    f = Family("resize")

    def upsample(shape, size, scale, mode, align=None, antialias=False):
        x = rand(*shape)
        y = F.interpolate(x, size=size, scale_factor=scale, mode=mode, align_corners=align, antialias=antialias)
        n = x.ndim - 2
        out = list(y.shape[2:])
        attrs = dict(axes=list(range(2, 2 + n)), size=out)
        kind = "nearest" if "nearest" in mode else "cubic" if mode == "bicubic" else "linear"
        attrs["mode"] = kind
        if mode == "nearest":
            attrs |= dict(coordinates="asymmetric", nearest="floor")
        elif mode == "nearest-exact":
            attrs |= dict(coordinates="half_pixel", nearest="round_prefer_ceil")
        else:
            attrs |= dict(coordinates="align_corners" if align else "half_pixel")
        if scale is not None and not align:
            attrs["scales"] = [Real(s) for s in (scale if isinstance(scale, tuple) else [scale] * n)]
        if antialias and align:  # torch takes the ratio of the corners, but half pixels all the same
            attrs |= dict(coordinates="half_pixel", scales=[Real((o - 1) / (i - 1)) for i, o in zip(x.shape[2:], out)])
        if antialias:
            attrs |= dict(antialias=True, exclude_outside=True, cubic_a=-0.5)
        f.add("resize", [x], y, **attrs)

    for mode in ("nearest", "nearest-exact"):
        upsample((1, 2, 7), [10], None, mode)
        upsample((1, 2, 5, 6), [10, 4], None, mode)
        upsample((1, 2, 5, 6), None, (2.0, 1.7), mode)
        upsample((1, 1, 3, 4, 5), [5, 3, 7], None, mode)
        upsample((1, 1, 41), [41 * 3], None, mode)
    for align in (False, True):
        upsample((1, 2, 7), [10], None, "linear", align)
        upsample((1, 2, 5, 6), [10, 4], None, "bilinear", align)
        upsample((1, 2, 5, 6), None, (2.0, 1.7), "bilinear", align)
        upsample((1, 2, 5, 6), [8, 3], None, "bicubic", align)
        upsample((1, 1, 3, 4, 5), [5, 3, 7], None, "trilinear", align)
        upsample((1, 1, 5, 5), [1, 3], None, "bilinear", align)
        upsample((1, 1, 6, 7), [3, 10], None, "bilinear", align, True)
        upsample((1, 1, 9, 8), [4, 3], None, "bicubic", align, True)
    upsample((1, 1, 9, 8), None, 0.45, "bilinear", False, True)

    def onnx(x, attrs, ours, scales=None, sizes=None, roi=None, axes=None):
        axes = axes or list(range(x.ndim))
        ins = [x, torch.tensor(roi) if roi else None, torch.tensor(scales) if scales else None,
               torch.tensor(sizes) if sizes else None]
        y = reference_run("Resize", ins, opset=19, axes=axes, **attrs)[0].to(x.dtype)
        more = {"scales": [Real(s) for s in scales]} if scales else {}
        if roi:
            more["roi"] = [Real(v) for v in roi]
        f.add("resize", [x], y, axes=axes, size=[y.shape[a] for a in axes], **ours, **more)

    for coordinates in ("half_pixel", "asymmetric", "pytorch_half_pixel", "half_pixel_symmetric", "align_corners"):
        for mode in ("nearest", "linear", "cubic"):
            attrs = dict(mode=mode, coordinate_transformation_mode=coordinates)
            ours = dict(mode=mode, coordinates=coordinates)
            onnx(rand(1, 1, 4, 5), attrs, ours, scales=[0.6, 2.3], axes=[2, 3])
            onnx(rand(1, 1, 4, 5), attrs, ours, sizes=[7, 3], axes=[2, 3])
    for rule in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"):
        onnx(rand(1, 1, 4, 4), dict(mode="nearest", nearest_mode=rule), dict(mode="nearest", nearest=rule),
             sizes=[8, 7], axes=[2, 3])
    onnx(rand(1, 1, 5, 4), dict(mode="cubic", cubic_coeff_a=-0.5, exclude_outside=1),
         dict(mode="cubic", cubic_a=-0.5, exclude_outside=True), scales=[1.0, 1.0, 0.8, 1.7])
    for mode in ("linear", "cubic"):
        for outside in (0, 1):
            onnx(rand(1, 1, 9, 8), dict(mode=mode, antialias=1, exclude_outside=outside),
                 dict(mode=mode, antialias=True, exclude_outside=bool(outside)), scales=[0.4, 0.6], axes=[2, 3])
    onnx(rand(1, 1, 5, 5), dict(mode="linear", coordinate_transformation_mode="tf_crop_and_resize",
                                extrapolation_value=10.0),
         dict(mode="linear", coordinates="tf_crop_and_resize", extrapolation=10.0), sizes=[3, 4],
         roi=[0.4, 0.6, 1.2, 1.7], axes=[2, 3])
    x = torch.randint(0, 255, (1, 1, 4, 4), dtype=torch.uint8)
    onnx(x, dict(mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
         dict(mode="nearest", coordinates="asymmetric", nearest="floor"), scales=[2.0, 2.0], axes=[2, 3])
    x = rand(1, 3, 6, 6, dtype=torch.float16)
    y = F.interpolate(x.float(), size=[9, 9], mode="bilinear").half()
    f.add("resize", [x], y, axes=[-2, -1], size=[9, 9], mode="linear")

    for mode, ours in (("nearest", "nearest"), ("bilinear", "linear"), ("bicubic", "cubic")):
        for padding in ("zeros", "border", "reflection"):
            for align in (False, True):
                x, grid = rand(2, 2, 5, 6), torch.rand(2, 3, 4, 2) * 4 - 2
                y = F.grid_sample(x, grid, mode, padding, align)
                f.add("grid_sample", [x, grid], y, mode=ours, padding=padding, align_corners=align)
                if ours != "cubic":
                    x, grid = rand(1, 2, 3, 4, 5), torch.rand(1, 2, 3, 2, 3) * 4 - 2
                    y = F.grid_sample(x, grid, mode, padding, align)
                    f.add("grid_sample", [x, grid], y, mode=ours, padding=padding, align_corners=align)
    # In half types PyTorch rounds the places and weights too.
    for mode, ours in (("bilinear", "linear"), ("bicubic", "cubic")):
        for dtype in (torch.float16, torch.bfloat16):
            for align, padding in ((True, "reflection"), (False, "zeros")):
                x, grid = rand(2, 3, 5, 5).to(dtype), (torch.rand(2, 5, 5, 2) * 2.4 - 1.2).to(dtype)
                y = F.grid_sample(x, grid, mode, padding, align)
                f.add("grid_sample", [x, grid], y, mode=ours, padding=padding, align_corners=align)
    for size in ([9, 4], [3, 11], [2, 3]):
        x = rand(1, 2, 5, 6)
        y = torch.ops.aten._upsample_lanczos2d_aa.vec(x, size, False, None)
        f.add("resize", [x], y, axes=[2, 3], size=size, mode="lanczos", antialias=True, exclude_outside=True)
    return f


def signal():
    f = Family("signal")
    for count, n in ((8, 8), (12, 7), (5, 9), (30, 30)):
        z, x = torch.randn(2, count, dtype=torch.complex64), rand(2, count)
        f.add("fft", [z], torch.fft.fft(z, n), axis=-1, n=n)
        f.add("ifft", [z], torch.fft.ifft(z, n), axis=1, n=n)
        f.add("rfft", [x], torch.fft.rfft(x, n), axis=-1, n=n)
        f.add("irfft", [z], torch.fft.irfft(z, n), axis=-1, n=n)
    x = rand(6, 3, 2)
    f.add("rfft", [x], torch.fft.rfft(x, dim=0), axis=0, n=6)
    f.add("fft", [x], torch.fft.fft(x, dim=1), axis=1, n=3)
    for frames, size, step in ((5, 4, 2), (4, 5, 3), (3, 2, 4), (1, 6, 1), (6, 1, 1)):
        x = rand(2, frames, size)
        y = torch.zeros(2, (frames - 1) * step + size)
        for i in range(frames):
            y[:, i * step:i * step + size] += x[:, i]
        f.add("overlap_add", [x], y, step=step)
    return f


def quantize():
    f = Family("quantize")
    torch_types = {"u8": torch.uint8, "i8": torch.int8, "u16": torch.uint16, "i16": torch.int16}
    limits = {"u8": (0, 255), "i8": (-128, 127), "u16": (0, 65535), "i16": (-32768, 32767), "u4": (0, 15),
              "i4": (-8, 7), "u2": (0, 3), "i2": (-2, 1)}

    def spread(p, shape, axis, block):
        if p.numel() == 1:
            return p.reshape(())
        if block:
            return p.repeat_interleave(block, axis).narrow(axis, 0, shape[axis])
        return p.reshape([-1 if i == axis else 1 for i in range(len(shape))])

    def case(kind, shape, scale_shape, axis=1, block=0, zero=True, dtype=torch.float32):
        low, high = limits[kind]
        stored = torch_types.get(kind, torch.int8 if kind[0] == "i" else torch.uint8)
        scale = (torch.rand(scale_shape) * 0.4 + 0.1).to(dtype)
        x = (rand(*shape) * (high - low) * 0.1).to(dtype)
        point = torch.randint(low, min(high, 32767) + 1, scale_shape) if zero else None
        wide = spread(scale, shape, axis, block).float()
        offset = spread(point, shape, axis, block) if zero else 0
        q = ((x.float() / wide).round() + offset).clamp(low, high).to(torch.int64).to(stored)
        types = {"2": kind} if zero else {}
        stored_point = point.to(stored) if zero else None
        f.add("quantize", [x, scale, stored_point], q, types=types, out_types={"0": kind}, axis=axis, block=block,
              to=Kind(kind))
        y = (q.to(torch.int64) - offset).float() * wide
        f.add("dequantize", [q, scale, stored_point], y.to(dtype), types=dict(types, **{"0": kind}), axis=axis,
              block=block, **{"from": Kind(kind)})

    for kind in limits:
        case(kind, (2, 3, 4), ())
        case(kind, (2, 3, 4), (3,), axis=1)
        case(kind, (2, 7), (2, 3), axis=-1 + 2, block=3)
    case("u8", (4, 3), (4,), axis=-2 + 2, zero=False)
    case("i8", (4, 3), (1,), dtype=torch.float16)
    x, one = torch.tensor([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 300.0]), torch.tensor(1.0)
    f.add("quantize", [x, one], torch.tensor([-2, -2, 0, 0, 2, 2, 127], dtype=torch.int8), out_types={"0": "i8"},
          to=Kind("i8"))
    x, zero = torch.tensor([2**30 + 7, -5], dtype=torch.int32), torch.tensor(2**30, dtype=torch.int32)
    f.add("dequantize", [x, torch.tensor(0.5), zero], torch.tensor([3.5, (-5 - 2**30) * 0.5]), **{"from": Kind("i32")})
    eight = {"f8e4m3fn": torch.float8_e4m3fn, "f8e5m2": torch.float8_e5m2, "f8e4m3fnuz": torch.float8_e4m3fnuz,
             "f8e5m2fnuz": torch.float8_e5m2fnuz}
    for kind, dtype in eight.items():
        x, scale = rand(3, 5) * 20, torch.tensor([0.5, 2.0, 0.25])
        q = (x / scale[:, None]).to(dtype)
        f.add("quantize", [x, scale], q.view(torch.uint8), out_types={"0": kind}, axis=0, to=Kind(kind))
        f.add("dequantize", [q.view(torch.uint8), scale], q.float() * scale[:, None], types={"0": kind}, axis=0,
              **{"from": Kind(kind)})
    return f


def detection():
    f = Family("detection")
    for center in (0, 1):
        corner = torch.rand(2, 30, 2)
        size = torch.rand(2, 30, 2) * 0.4 + 0.05
        boxes = torch.cat([corner, size], -1) if center else torch.cat([corner, corner + size], -1)
        if not center:
            boxes[:, ::3] = boxes[:, ::3][..., [2, 3, 0, 1]]
        scores = torch.rand(2, 2, 30)
        for limit, iou, least in ((100, 0.3, 0.0), (3, 0.5, 0.4), (100, 0.5, 2.0), (0, 0.5, 0.0)):
            y = onnx_run("NonMaxSuppression", [boxes, scores, torch.tensor([limit]), torch.tensor([iou]),
                                               torch.tensor([least])], opset=11, center_point_box=center)[0]
            f.add("nms", [boxes, scores], y, max_per_class=limit, iou_threshold=Real(iou),
                  score_threshold=Real(least), center=bool(center))
    x = rand(2, 3, 9, 8)
    boxes = torch.tensor([[0.0, 0, 7, 8], [1.3, 2.1, 5.2, 6.6], [4, 4, 4.2, 4.1], [-3, -2, 12, 14]])
    owner = torch.tensor([0, 1, 1, 0])
    for mode in ("avg", "max"):
        for sampling in (0, 2):
            for half in (True, False):
                # onnxruntime says of itself that its maxima are wrong.
                run = onnx_run if mode == "avg" else reference_run
                y = run("RoiAlign", [x, boxes, owner], opset=16, mode=mode, output_height=3, output_width=2,
                        sampling_ratio=sampling, spatial_scale=0.8,
                        coordinate_transformation_mode="half_pixel" if half else "output_half_pixel")[0].float()
                f.add("roi_align", [x, boxes, owner], y, mode=mode, height=3, width=2, scale=0.8, sampling=sampling,
                      half_pixel=half)
    return f


FAMILIES = [resize, signal, quantize, detection]
