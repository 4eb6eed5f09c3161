// The network written out in plain loops and double precision: what the kernels are held against.

#ifndef HEARWIRE_TESTS_MODELS_NATIVE_REFERENCE_NETWORK_H_
#define HEARWIRE_TESTS_MODELS_NATIVE_REFERENCE_NETWORK_H_

#include <vector>

#include "models/checkpoint/network_weights.h"
#include "models/configs/feature.h"
#include "models/log_mel/window.h"

namespace hearwire {

std::vector<double> ReferenceRow(const NetworkWeights& weights, const Window& window, const Readout& readout);

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_MODELS_NATIVE_REFERENCE_NETWORK_H_
