// Every kernel by its name: LIST(X) calls X(name, body, arguments' type) for each.

#ifndef HEARWIRE_MODELS_CUDA_KERNEL_LIST_H_
#define HEARWIRE_MODELS_CUDA_KERNEL_LIST_H_

// Names end in columns, tiles and warps, as in kernel_args.h.
#define HEARWIRE_POINTWISE_OF(X, columns)                                          \
  X(hearwire_pointwise_##columns##_2_4, (Pointwise<columns, 2, 4>), PointwiseArgs) \
  X(hearwire_pointwise_##columns##_1_4, (Pointwise<columns, 1, 4>), PointwiseArgs) \
  X(hearwire_pointwise_##columns##_1_2, (Pointwise<columns, 1, 2>), PointwiseArgs)

#define HEARWIRE_KERNELS(X)                                   \
  X(hearwire_stem, Stem, StemArgs)                            \
  HEARWIRE_POINTWISE_OF(X, 1)                                 \
  HEARWIRE_POINTWISE_OF(X, 2)                                 \
  HEARWIRE_POINTWISE_OF(X, 3)                                 \
  HEARWIRE_POINTWISE_OF(X, 4)                                 \
  HEARWIRE_POINTWISE_OF(X, 5)                                 \
  X(hearwire_depthwise_3_1, (Depthwise<3, 1>), DepthwiseArgs) \
  X(hearwire_depthwise_3_2, (Depthwise<3, 2>), DepthwiseArgs) \
  X(hearwire_depthwise_5_1, (Depthwise<5, 1>), DepthwiseArgs) \
  X(hearwire_depthwise_5_2, (Depthwise<5, 2>), DepthwiseArgs) \
  X(hearwire_pool, Pool, PoolArgs)                            \
  X(hearwire_pool_time, PoolTime, PoolTimeArgs)               \
  X(hearwire_pool_frames, PoolFrames, PoolFramesArgs)

#endif  // HEARWIRE_MODELS_CUDA_KERNEL_LIST_H_
