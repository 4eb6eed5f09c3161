"""The prototype of own kernels: a pointwise and a depthwise convolution with all that follows them fused in.

Maps are [image, time, mels, channels]. ACTIVATION: 0 none, 1 ReLU, 2 hard swish.
"""

import triton
import triton.language as tl


@triton.jit
def activate(x, ACTIVATION: tl.constexpr):
    if ACTIVATION == 1:
        x = tl.maximum(x, 0.0)
    if ACTIVATION == 2:
        x = x * tl.minimum(tl.maximum(x + 3.0, 0.0), 6.0) * (1.0 / 6.0)
    return x


@triton.jit
def pointwise(X, W, B, S, R, Y, M, P, K, N, ACTIVATION: tl.constexpr, SCALE: tl.constexpr, RESIDUAL: tl.constexpr,
              BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, PRECISION: tl.constexpr):  # fmt: skip
    # Y[M, N] = activate(X[M, K] * S[image, K] @ W[K, N] + B[N]) + R[M, N]; an image has P positions. A program makes
    # BM x BN of them, BK terms of the sums at a time.
    m = tl.program_id(0) * BM + tl.arange(0, BM)
    n = tl.program_id(1) * BN + tl.arange(0, BN)
    m_in, n_in = m < M, n < N
    sums = tl.zeros((BM, BN), tl.float32)
    for first in range(0, K, BK):
        k = first + tl.arange(0, BK)
        k_in = k < K
        inside = m_in[:, None] & k_in[None, :]
        x = tl.load(X + m[:, None].to(tl.int64) * K + k[None, :], mask=inside, other=0.0)
        if SCALE:
            scale = tl.load(S + (m // P)[:, None].to(tl.int64) * K + k[None, :], mask=inside, other=0.0)
            x = (x * scale).to(X.dtype.element_ty)
        weight = tl.load(W + k[:, None] * N + n[None, :], mask=k_in[:, None] & n_in[None, :], other=0.0)
        sums = tl.dot(x, weight, sums, input_precision=PRECISION)
    sums += tl.load(B + n, mask=n_in, other=0.0).to(tl.float32)[None, :]
    sums = activate(sums, ACTIVATION)
    place = m[:, None].to(tl.int64) * N + n[None, :]
    inside = m_in[:, None] & n_in[None, :]
    if RESIDUAL:
        sums += tl.load(R + place, mask=inside, other=0.0).to(tl.float32)
    tl.store(Y + place, sums.to(Y.dtype.element_ty), mask=inside)


@triton.jit
def depthwise(X, W, B, Y, T, MELS, T_OUT, MELS_OUT, C, TOTAL, ACTIVATION: tl.constexpr, KERNEL: tl.constexpr,
              STRIDE: tl.constexpr, BP: tl.constexpr, BC: tl.constexpr):  # fmt: skip
    # TOTAL positions of the output, of all images. A program makes BP of them for BC channels.
    p = tl.program_id(0) * BP + tl.arange(0, BP)
    c = tl.program_id(1) * BC + tl.arange(0, BC)
    p_in, c_in = p < TOTAL, c < C
    mel_out = p % MELS_OUT
    t_out = (p // MELS_OUT) % T_OUT
    image = (p // (MELS_OUT * T_OUT)).to(tl.int64)
    sums = tl.zeros((BP, BC), tl.float32)
    for dt in tl.static_range(KERNEL):
        for dm in tl.static_range(KERNEL):
            t = t_out * STRIDE + dt - KERNEL // 2
            mel = mel_out * STRIDE + dm - KERNEL // 2
            inside = p_in & (t >= 0) & (t < T) & (mel >= 0) & (mel < MELS)
            x = tl.load(X + ((image * T + t) * MELS + mel)[:, None] * C + c[None, :],
                        mask=inside[:, None] & c_in[None, :], other=0.0)  # fmt: skip
            weight = tl.load(W + (dt * KERNEL + dm) * C + c, mask=c_in, other=0.0)
            sums += x.to(tl.float32) * weight.to(tl.float32)[None, :]
    sums += tl.load(B + c, mask=c_in, other=0.0).to(tl.float32)[None, :]
    sums = activate(sums, ACTIVATION)
    tl.store(Y + p[:, None].to(tl.int64) * C + c[None, :], sums.to(Y.dtype.element_ty),
             mask=p_in[:, None] & c_in[None, :])  # fmt: skip
