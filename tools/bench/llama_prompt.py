"""How long llama.cpp takes to read a prompt with a llama model of random 4- or 8-bit weights.

The products of the feed-forward layers are found as the difference of two models, one with INNER inner features and
one with SMALL: what else a model does is the same in both.
"""
import ctypes
import os
import time

import numpy as np

HIDDEN, INNER, SMALL, LAYERS, HEADS, VOCABULARY, TOKENS = 2048, 8192, 256, 4, 32, 64, 512
PRODUCTS = [(INNER, HIDDEN), (INNER, HIDDEN), (HIDDEN, INNER)]  # (outputs, inputs) of the gate, up, down


def random_blocks(generator, rows, columns, bits):
    """Rows in the blocks of Q4_0 or Q8_0: a float16 scale, then 32 numbers."""
    blocks = np.zeros((rows, columns // 32, 2 + 4 * bits), np.uint8)
    blocks[..., :2] = np.full(1, 0.02 / 2 ** (bits - 1), np.float16).view(np.uint8)
    blocks[..., 2:] = generator.integers(0, 256, blocks[..., 2:].shape, np.uint8)
    return blocks.reshape(rows, -1)


def write_model(path, bits, inner):
    import gguf
    generator = np.random.default_rng(0)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(2 * TOKENS)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_vocab_size(VOCABULARY)
    writer.add_tokenizer_model("no_vocab")
    kind = gguf.GGMLQuantizationType.Q4_0 if bits == 4 else gguf.GGMLQuantizationType.Q8_0

    def matrix(name, rows, columns):
        writer.add_tensor(name, random_blocks(generator, rows, columns, bits), raw_dtype=kind)
    matrix("token_embd.weight", VOCABULARY, HIDDEN)
    norms = ["output_norm"]
    for layer in range(LAYERS):
        norms += [f"blk.{layer}.attn_norm", f"blk.{layer}.ffn_norm"]
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            matrix(f"blk.{layer}.{name}.weight", HIDDEN, HIDDEN)
        for name in ("ffn_gate", "ffn_up"):
            matrix(f"blk.{layer}.{name}.weight", inner, HIDDEN)
        matrix(f"blk.{layer}.ffn_down.weight", HIDDEN, inner)
    for name in norms:
        writer.add_tensor(name + ".weight", np.ones(HIDDEN, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class Prompt:
    """A model; seconds() is the time of reading TOKENS tokens from the start."""

    def __init__(self, folder, bits, inner, threads):
        import llama_cpp
        self.lib = llama_cpp
        path = os.path.join(folder, f"q{bits}-{inner}.gguf")
        write_model(path, bits, inner)
        self.silence = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self.silence, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx, parameters.n_batch, parameters.n_ubatch = 2 * TOKENS, TOKENS, TOKENS
        parameters.n_threads = parameters.n_threads_batch = threads
        self.context = self.model and llama_cpp.llama_init_from_model(self.model, parameters)
        if not self.context:
            raise RuntimeError("llama.cpp does not take the model")
        self.tokens = (llama_cpp.llama_token * TOKENS)(*[1 + i % (VOCABULARY - 2) for i in range(TOKENS)])

    def seconds(self, clock=time.perf_counter):
        lib = self.lib
        lib.llama_memory_clear(lib.llama_get_memory(self.context), True)
        start = clock()
        if lib.llama_decode(self.context, lib.llama_batch_get_one(self.tokens, TOKENS)) != 0:
            raise RuntimeError("llama.cpp cannot read the prompt")
        lib.llama_synchronize(self.context)
        return clock() - start


def feed_forward_gflop():
    """Of what the large model has more than the small one."""
    return 2e-9 * TOKENS * LAYERS * 3 * HIDDEN * (INNER - SMALL)


def version():
    import llama_cpp
    features = llama_cpp.llama_print_system_info().decode()
    return f"llama.cpp ({llama_cpp.__version__}{', AMX' if 'AMX_INT8 = 1' in features else ''})"
