// Asks a server that is not there, and expects to hear so.

#include <hearwire/client/client.h>
#include <hearwire/client/error_details.h>

#include <iostream>

int main() {
  using hearwire::client::Client;
  auto client = Client::Create({.server = "unix:/nowhere/hearwire.sock", .deadline = absl::Seconds(5)});
  if (!client.ok()) {
    std::cerr << client.status() << '\n';
    return 1;
  }
  auto reply = (*client)->GetSceneEmbeddings({.clips = {hearwire::client::EncodedAudio("RIFF")}});
  std::cout << reply.status() << '\n';
  auto stream = (*client)->OpenStream({.sample_rate_hz = 16000, .timestamps = true});
  if (!stream.ok()) {
    std::cerr << stream.status() << '\n';
    return 1;
  }
  const absl::Status status = (*stream)->Read().status();
  std::cout << status << '\n';
  return hearwire::client::IsUnreachable(reply.status()) && hearwire::client::IsUnreachable(status) ? 0 : 1;
}
