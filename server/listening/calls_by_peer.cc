#include "server/listening/calls_by_peer.h"

namespace hearwire {

CallsByPeer::Counted::Counted(CallsByPeer* calls, std::string_view peer) {
  if (calls == nullptr) return;
  const std::optional<PeerAddress> address = ParsePeerAddress(peer);
  if (!address) return;
  calls_ = calls;
  peer_ = *address;
  MutexLock lock(&calls_->mu_);
  Known& known = calls_->peers_[peer_].known;
  ++known.calls;
  ++known.calls_so_far;
}

CallsByPeer::Counted::~Counted() {
  if (calls_ == nullptr) return;
  MutexLock lock(&calls_->mu_);
  const auto found = calls_->peers_.find(peer_);
  --found->second.known.calls;
  calls_->EraseUnused(found);
}

void CallsByPeer::Counted::TakeMessage(int64_t bytes) const {
  if (calls_ == nullptr) return;
  MutexLock lock(&calls_->mu_);
  calls_->peers_.find(peer_)->second.known.message_bytes += bytes;
}

void CallsByPeer::Keep(const PeerAddress& peer) {
  MutexLock lock(&mu_);
  peers_[peer].is_kept = true;
}

void CallsByPeer::Forget(const PeerAddress& peer) {
  MutexLock lock(&mu_);
  const auto found = peers_.find(peer);
  if (found == peers_.end()) return;
  found->second.is_kept = false;
  EraseUnused(found);
}

CallsByPeer::Known CallsByPeer::Find(const PeerAddress& peer) const {
  MutexLock lock(&mu_);
  const auto found = peers_.find(peer);
  return found == peers_.end() ? Known() : found->second.known;
}

void CallsByPeer::EraseUnused(std::map<PeerAddress, Entry>::iterator at) {
  if (!at->second.is_kept && at->second.known.calls == 0) peers_.erase(at);
}

}  // namespace hearwire
