// Recurrent layers: one layer, one direction, time first. x (T, B, I), states (B, H), y (T, B, H).
//
// lengths (B): from there on an item's state stands still and its outputs are zero; with reverse each item is read
// backwards within its own length. clip (0: off) bounds what goes into an activation.
// Activations are named "sigmoid", "tanh", "relu", "softsign", "softplus", and with parameters after colons
// "affine:alpha:beta", "leaky_relu:alpha", "elu:alpha", "hard_sigmoid:alpha:beta", "scaled_tanh:alpha:beta",
// "thresholded_relu:alpha"; a parameter left out has ONNX's default.
#pragma once

#include "ops/op.h"

namespace godwit::ops {

// w_ih (4H, I), w_hh (4H, H), bias (4H) in the order i, f, g, o; peephole (3H) in the order i, o, f; activations of
// gates, cell and output. input_forget: f = 1 - i. -> y, h, c
std::vector<array> lstm(const array& x, const array& h, const array& c, const array& w_ih, const array& w_hh,
                        const std::optional<array>& bias, const std::optional<array>& peephole,
                        const std::optional<array>& lengths, bool reverse, const Texts& activations, double clip,
                        bool input_forget);

// w_ih (3H, I), w_hh (3H, H), biases (3H) in the order r, z, n. linear_before_reset: n = g(x + r * (W h + b)), as in
// torch; else n = g(x + W (r * h) + b). -> y, h
std::vector<array> gru(const array& x, const array& h, const array& w_ih, const array& w_hh,
                       const std::optional<array>& bias_ih, const std::optional<array>& bias_hh,
                       const std::optional<array>& lengths, bool reverse, bool linear_before_reset,
                       const Texts& activations, double clip);

// w_ih (H, I), w_hh (H, H), bias (H) -> y, h
std::vector<array> rnn(const array& x, const array& h, const array& w_ih, const array& w_hh,
                       const std::optional<array>& bias, const std::optional<array>& lengths, bool reverse,
                       const std::string& activation, double clip);

}  // namespace godwit::ops
