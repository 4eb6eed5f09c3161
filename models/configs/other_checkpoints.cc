#include "models/configs/other_checkpoints.h"

namespace hearwire {
namespace {

using enum HeadKind;

// clang-format off
constexpr NetworkInfo kOtherCheckpoints[] = {
    // Name, width, head, {mel bands, hop in samples}, published file, SHA-256 where it is known.
    {"mn40_as_2",           4.0, kMlp, {128, 320}, "mn40_as_mAP_483.pt",           ""},
    {"mn40_as_ext",         4.0, kMlp, {128, 320}, "mn40_as_ext_mAP_487.pt",       ""},
    {"mn40_as_ext_2",       4.0, kMlp, {128, 320}, "mn40_as_ext_mAP_486.pt",       ""},
    {"mn40_as_ext_3",       4.0, kMlp, {128, 320}, "mn40_as_ext_mAP_485.pt",       ""},
    {"mn40_as_no_im_pre",   4.0, kMlp, {128, 320}, "mn40_as_no_im_pre_mAP_483.pt", ""},
    {"mn40_as_no_im_pre_3", 4.0, kMlp, {128, 320}, "mn40_as_no_im_pre_mAP_482.pt", ""},
};
// clang-format on

}  // namespace

absl::Span<const NetworkInfo> OtherCheckpoints() { return kOtherCheckpoints; }

}  // namespace hearwire
