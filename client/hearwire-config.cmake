# find_package(hearwire CONFIG): the target hearwire::client.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(absl CONFIG)
find_dependency(Protobuf)  # The module: Debian's 3.21 has no configuration files.
find_dependency(gRPC CONFIG)
include(${CMAKE_CURRENT_LIST_DIR}/hearwire-targets.cmake)
