#include "server/listening/calls_by_peer.h"

namespace hearwire {

CallsByPeer::Counted::Counted(CallsByPeer* calls, std::string_view peer) {
  if (calls == nullptr) return;
  const std::optional<PeerAddress> address = ParsePeerAddress(peer);
  if (!address) return;
  calls_ = calls;
  peer_ = *address;
  MutexLock lock(&calls_->mu_);
  ++calls_->calls_[peer_];
}

CallsByPeer::Counted::~Counted() {
  if (calls_ == nullptr) return;
  MutexLock lock(&calls_->mu_);
  const auto found = calls_->calls_.find(peer_);
  if (--found->second == 0) calls_->calls_.erase(found);
}

int64_t CallsByPeer::CountOf(const PeerAddress& peer) const {
  MutexLock lock(&mu_);
  const auto found = calls_.find(peer);
  return found == calls_.end() ? 0 : found->second;
}

}  // namespace hearwire
