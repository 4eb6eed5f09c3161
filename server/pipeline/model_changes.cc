#include "server/pipeline/model_changes.h"

#include <string_view>

#include "absl/types/span.h"

namespace hearwire {
namespace {

std::string_view NameOf(const LoadedNetwork& network) { return network.info->name; }
std::string_view NameOf(const LoadedHead& loaded) { return loaded.head.name; }

bool AreSame(const LoadedNetwork& one, const LoadedNetwork& other) { return &one == &other; }
bool AreSame(const LoadedHead& one, const LoadedHead& other) { return one.head.sha256 == other.head.sha256; }

template <typename Entry, typename Catalog>
NameChanges Compare(absl::Span<const Entry> before, absl::Span<const Entry> after, const Catalog& old_catalog,
                    const Catalog& new_catalog) {
  NameChanges changes;
  for (const Entry& entry : after) {
    const auto old = old_catalog.Find(NameOf(*entry));
    (old == nullptr          ? changes.added
     : AreSame(*old, *entry) ? changes.kept
                             : changes.replaced)
        .emplace_back(NameOf(*entry));
  }
  for (const Entry& entry : before) {
    if (new_catalog.Find(NameOf(*entry)) == nullptr) changes.removed.emplace_back(NameOf(*entry));
  }
  return changes;
}

}  // namespace

ModelChanges CompareModels(const Models& before, const Models& after) {
  return {Compare(before.networks.networks(), after.networks.networks(), before.networks, after.networks),
          Compare(before.heads.heads(), after.heads.heads(), before.heads, after.heads)};
}

}  // namespace hearwire
