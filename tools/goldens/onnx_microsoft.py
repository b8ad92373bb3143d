"""Writes tests/data/onnx/microsoft.zip: com.microsoft operators with the outputs that onnxruntime gives.

Needs onnx and onnxruntime. Laid out like ONNX's backend suite.
"""
import sys
import zipfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper as h, numpy_helper as nh

OUT = sys.argv[1] if len(sys.argv) > 1 else "tests/data/onnx/microsoft.zip"
r = np.random.RandomState(0)
archive = zipfile.ZipFile(OUT, "w", zipfile.ZIP_DEFLATED)


def f(*shape):
    return r.randn(*shape).astype(np.float32)


def u(*shape):
    return r.randint(0, 256, shape).astype(np.uint8)


def sc(value):
    return np.array(value, np.float32)


def z(value):
    return np.array(value, np.uint8)


def put(name, data):
    entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, data)


def case(name, op, inputs, count=1, wanted=None, **attributes):
    """A model of one node; `wanted` lists the outputs that are asked for."""
    given = [(f"i{k}", v) for k, v in enumerate(inputs) if v is not None]
    names = [f"i{k}" if v is not None else "" for k, v in enumerate(inputs)]
    outputs = [f"o{k}" if wanted is None or k in wanted else "" for k in range(count)]
    node = h.make_node(op, names, outputs, domain="com.microsoft", **attributes)
    infos = [h.make_tensor_value_info(n, h.np_dtype_to_tensor_dtype(v.dtype), v.shape) for n, v in given]
    model = h.make_model(h.make_graph([node], name, infos, []), ir_version=9,
                         opset_imports=[h.make_opsetid("", 17), h.make_opsetid("com.microsoft", 1)])
    model.graph.output.extend(onnx.ValueInfoProto(name=o) for o in outputs if o)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    results = session.run(None, dict(given))
    put(f"{name}/model.onnx", model.SerializeToString())
    for k, (n, v) in enumerate(given):
        put(f"{name}/test_data_set_0/input_{k}.pb", nh.from_array(v, n).SerializeToString())
    for k, v in enumerate(results):
        put(f"{name}/test_data_set_0/output_{k}.pb", nh.from_array(v, "").SerializeToString())


case('fastgelu', 'FastGelu', [f(2, 8), f(8)])
case('biasgelu', 'BiasGelu', [f(2, 8), f(8)])
case('quickgelu', 'QuickGelu', [f(2, 8)])
case('gelu', 'Gelu', [f(2, 8)])
case('fusedmatmul', 'FusedMatMul', [f(3, 4, 2), f(3, 5, 4)], transA=1, transB=1, alpha=.5)
case('fusedgemm', 'FusedGemm', [f(3, 4), f(4, 5), f(5)], activation='Relu')
case('fusedconv', 'FusedConv', [f(1, 2, 5, 5), f(3, 2, 3, 3), f(3)], activation='Relu')
case('skipln', 'SkipLayerNormalization', [f(2, 3, 8), f(2, 3, 8), f(8), f(8), f(8)], 4, [0, 3])
case('skiprms', 'SkipSimplifiedLayerNormalization', [f(2, 3, 8), f(2, 3, 8), f(8)], 4, [0, 3], epsilon=1e-6)
ids=r.randint(0, 9, (2, 4)).astype(np.int32)
case('embedln', 'EmbedLayerNormalization', [ids, np.zeros((2, 4), np.int32), f(9, 8), f(6, 8), f(2, 8), f(8), f(8), np.ones((2, 4), np.int32)], 2)
for bits in (4, 8):
    K, N, B, nb = 48, 6, 16, 3
    case(f'mmnbits{bits}', 'MatMulNBits', [f(2, K), u(N, nb, B * bits // 8), f(N, nb), r.randint(0, 256, (N, (nb*bits+7)//8)).astype(np.uint8)], K=K, N=N, bits=bits, block_size=B)
case('mmnbits_nozp', 'MatMulNBits', [f(2, 48), r.randint(0, 256, (6, 3, 8)).astype(np.uint8), f(6, 3)], K=48, N=6, bits=4, block_size=16)
case('gbq', 'GatherBlockQuantized', [r.randint(0, 256, (9, 32)).astype(np.uint8), np.array([[1, 8], [0, 3]], np.int64), f(9, 4), r.randint(0, 256, (9, 2)).astype(np.uint8)], bits=4, block_size=16, quantize_axis=1, gather_axis=0)
cosine, sine = f(10, 4), f(10, 4)
case('rotary3', 'RotaryEmbedding', [f(2, 3, 16), np.array([[0, 1, 2], [2, 3, 4]], np.int64), cosine, sine])
case('rotary1', 'RotaryEmbedding', [f(2, 2, 3, 8), np.array([2], np.int64), cosine, sine], interleaved=1)
case('mha', 'MultiHeadAttention', [f(2, 3, 16), f(2, 5, 16), f(2, 5, 16), f(48)], num_heads=2)
case('mha_mask', 'MultiHeadAttention', [f(2, 3, 16), f(2, 5, 16), f(2, 5, 16), None, np.array([3, 5], np.int32), f(1, 2, 3, 5)], num_heads=2)
case('mha_uni', 'MultiHeadAttention', [f(2, 4, 16), f(2, 4, 16), f(2, 4, 16)], num_heads=2, unidirectional=1)
case('attn', 'Attention', [f(2, 3, 8), f(8, 24), f(24), np.array([2, 3], np.int32)], num_heads=2)
case('attn_past', 'Attention', [f(2, 3, 8), f(8, 24), f(24), None, f(2, 2, 2, 4, 4)], 2, num_heads=2, unidirectional=1)
case('gqa', 'GroupQueryAttention', [f(2, 3, 32), f(2, 3, 16), f(2, 3, 16), None, None, np.array([2, 2], np.int32), np.array(3, np.int32)], 3, num_heads=4, kv_num_heads=2)
case('gqa_past', 'GroupQueryAttention', [f(2, 1, 64), f(2, 1, 32), f(2, 1, 32), f(2, 2, 4, 16), f(2, 2, 4, 16), np.array([4, 4], np.int32), np.array(5, np.int32), f(16, 8), f(16, 8)], 3, num_heads=4, kv_num_heads=2, do_rotary=1)
case('qladd', 'QLinearAdd', [u(2, 4), sc(.1), z(100), u(2, 4), sc(.05), z(120), sc(.12), z(110)])
case('qlmul', 'QLinearMul', [u(2, 4), sc(.1), z(100), u(2, 4), sc(.05), z(120), sc(.12), z(110)])
case('qlsig', 'QLinearSigmoid', [u(2, 4), sc(.05), z(128), sc(1/256), z(0)])
case('qlleaky', 'QLinearLeakyRelu', [u(2, 4), sc(.05), z(128), sc(.05), z(100)], alpha=.1)
case('qlgap', 'QLinearGlobalAveragePool', [u(1, 2, 4, 4), sc(.05), z(128), sc(.05), z(100)])
case('mmi2f', 'MatMulIntegerToFloat', [u(3, 4), u(4, 5), sc(.1), f(5), z(9), u(5), f(5)])
case('dqmm', 'DynamicQuantizeMatMul', [f(3, 4), u(4, 5), f(5), u(5), f(5)])
case('cdist', 'CDist', [f(3, 4), f(5, 4)], metric='euclidean')
case('inverse', 'Inverse', [f(2, 3, 3)])
archive.close()
