# Builds the client library alone where nothing but gRPC, protobuf and Abseil is found, and the consumer against it.
#   cmake -D SOURCE=... -D WORK=... -D COMPILER=... -P client_only.cmake
include(${CMAKE_CURRENT_LIST_DIR}/consume.cmake)

# OpenSSL, zlib and pkg-config are asked for by gRPC's own package.
set(hidden "")
foreach(package CLI11 CURL GTest LibTorch Python3 civetweb hwy nlohmann_json prometheus-cpp spdlog)
  list(APPEND hidden -DCMAKE_DISABLE_FIND_PACKAGE_${package}=ON)
endforeach()
file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} -S ${SOURCE} -B ${WORK}/build -G Ninja ${hidden} -DHEARWIRE_CLIENT_ONLY=ON
    -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_COMPILER=${COMPILER})
file(STRINGS ${WORK}/build/CMakeCache.txt found REGEX "^(SNDFILE|SOXR|MPG123|VORBIS|OPUS)[A-Z_]*_FOUND")
if(found)
  message(FATAL_ERROR "libraries of the server were looked for: ${found}")
endif()
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${CMAKE_COMMAND} --install ${WORK}/build --prefix ${WORK}/prefix)
if(EXISTS ${WORK}/prefix/bin)
  message(FATAL_ERROR "a program was built")
endif()
consume_by_pkg_config(${WORK}/prefix)
