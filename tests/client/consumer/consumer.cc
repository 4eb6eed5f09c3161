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
  return hearwire::client::IsUnreachable(reply.status()) ? 0 : 1;
}
